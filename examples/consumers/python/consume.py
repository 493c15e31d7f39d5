#!/usr/bin/env python3
"""Prints BrainOps events, one line each. A whole consumer in one file; docs/events.md explains every choice in it."""

import argparse
import json
import os
import signal
import sys
import threading

import pika
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from pika.exceptions import AMQPError, ChannelClosedByBroker, ProbableAccessDeniedError, ProbableAuthenticationError

stopping = threading.Event()


class Inbox:
    """Remembers the events that were handled, because any of them may come again.

    In memory, which is honest for printing: after a restart a line may be printed twice. A consumer that changes
    something keeps the ids in its database, inserted in the transaction of the change.
    """

    def __init__(self, size: int = 100_000) -> None:
        self.ids: dict[str, None] = {}
        self.size = size

    def __contains__(self, event_id: str) -> bool:
        return event_id in self.ids

    def add(self, event_id: str) -> None:
        self.ids[event_id] = None
        if len(self.ids) > self.size:
            del self.ids[next(iter(self.ids))]


def declare(channel, prefix: str, queue: str, patterns: list[str]) -> None:
    """Repeated at each connection: what is there already stays as it is."""
    exchange, dead = f"{prefix}brainops.events", f"{prefix}brainops.dead.{queue.removeprefix(prefix)}"
    channel.exchange_declare(exchange, exchange_type="topic", durable=True)
    kept = {"x-queue-type": "quorum", "x-overflow": "reject-publish"}
    channel.queue_declare(dead, durable=True, arguments={**kept, "x-delivery-limit": 2147483647})
    to_dead_letters = {
        "x-delivery-limit": 20,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": dead,
        "x-dead-letter-strategy": "at-least-once",
    }
    channel.queue_declare(queue, durable=True, arguments={**kept, **to_dead_letters})
    for pattern in patterns:
        channel.queue_bind(queue, exchange, pattern)


def handle(event: BaseCloudEvent) -> None:
    """The effect. Here: a line with time, routing key, subject and data."""
    kind = event.get_type().removeprefix("brainops.")
    time = event.get_time().strftime("%Y-%m-%dT%H:%M:%SZ")
    print(time, kind, event.get_subject(), json.dumps(event.get_data()), flush=True)


def connect(url: str, prefix: str, queue: str, patterns: list[str]):
    parameters = pika.URLParameters(url)
    parameters.heartbeat = 10
    channel = pika.BlockingConnection(parameters).channel()
    channel.basic_qos(prefetch_count=100)
    declare(channel, prefix, queue, patterns)
    print(f"waiting for {' '.join(patterns)} in {queue}", file=sys.stderr, flush=True)
    return channel


def consume(channel, queue: str, inbox: Inbox) -> None:
    """Handles events until the connection ends or the process is asked to stop."""
    for delivery, _properties, body in channel.consume(queue, inactivity_timeout=0.2):
        if stopping.is_set():
            break  # what was not acknowledged goes back to the queue
        if delivery is None:
            continue
        try:
            event = JSONFormat().read(CloudEvent, body)
        except Exception as error:  # the SDK has no common type for what can be wrong with foreign bytes
            print(f"rejected {delivery.routing_key}: {error}", file=sys.stderr, flush=True)
            channel.basic_reject(delivery.delivery_tag, requeue=False)  # to the dead letters
            continue
        if event.get_id() not in inbox:
            handle(event)
            inbox.add(event.get_id())
        channel.basic_ack(delivery.delivery_tag)
    channel.connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patterns", nargs="*", default=["#"], help="routing keys, such as users.*.v1 (default: all)")
    parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/"))
    parser.add_argument("--queue", default="example.printer", help="<your service>.<purpose>")
    parser.add_argument("--namespace", default=os.environ.get("BRAINOPS_AMQP_NAMESPACE", ""))
    parser.add_argument("--delete", action="store_true", help="delete the queue and its dead letters, and end")
    options = parser.parse_args()
    prefix = f"{options.namespace}." if options.namespace else ""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())

    if options.delete:
        channel = pika.BlockingConnection(pika.URLParameters(options.url)).channel()
        for queue in (options.queue, f"brainops.dead.{options.queue}"):
            channel.queue_delete(prefix + queue)
        return

    inbox, pause = Inbox(), 1.0
    while not stopping.is_set():
        try:
            channel = connect(options.url, prefix, prefix + options.queue, options.patterns)
            pause = 1.0
            consume(channel, prefix + options.queue, inbox)
        except (ProbableAuthenticationError, ProbableAccessDeniedError, ChannelClosedByBroker) as error:
            sys.exit(f"refused by the broker: {error}")  # credentials, rights, other arguments: waiting mends nothing
        except (AMQPError, OSError) as error:
            print(f"no connection ({error!r}); again in {pause:.0f} s", file=sys.stderr, flush=True)
            stopping.wait(pause)
            pause = min(pause * 2, 30.0)


if __name__ == "__main__":
    main()
