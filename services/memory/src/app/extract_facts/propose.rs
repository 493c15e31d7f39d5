//! What a language model finds in turns that is worth remembering and is not remembered yet.

use contracts::{MemoryId, MessageId};

use super::{DEADLINE, Work};
use crate::{
    app::{
        ask_model::{Trouble, ask_model},
        search::{Hit, Ranking, Search, Wanted, search},
    },
    clients::language_model::Task,
    domain::{
        access::Allowed,
        entry::Kind,
        memory::{NewMemory, text_hash},
    },
    error::Error,
    extraction::{
        ANSWER_TOKENS, CANDIDATES, Material,
        answer::{self, Fact},
        cut, prompt,
        sameness::is_same,
    },
    metrics,
    state::{AppState, Language},
};

/// Of the turns, in the search for what is known about them.
const QUESTION_TOKENS: usize = 250;
/// Of each memory that the model is shown.
const KNOWN_TOKENS: usize = 60;
/// Hits that are looked through, because some belong elsewhere.
const LOOKED_THROUGH: usize = 40;

/// Something to be remembered.
pub(super) struct Proposal {
    pub memory: NewMemory,
    pub replaces: Option<MemoryId>,
    /// Those of the turns that say it. None of them may be gone when it is stored.
    pub messages: Vec<MessageId>,
}

/// What is to be remembered, in the order in which it was said.
pub(super) async fn facts(state: &AppState, language: &Language, work: &Work) -> Result<Vec<Proposal>, Trouble> {
    if work.turns.is_empty() {
        return Ok(Vec::new());
    }
    let said: Vec<_> = work.turns.iter().map(|turn| turn.text.as_str()).collect();
    let mut known = remembered(state, work, cut(&said.join("\n"), QUESTION_TOKENS)).await?;
    known.truncate(CANDIDATES);
    let material = Material {
        context: work.context.clone(),
        turns: work.turns.clone(),
        known: known.iter().map(|hit| cut(&hit.entry.text, KNOWN_TOKENS).to_owned()).collect(),
    };
    let task = Task {
        instructions: prompt::INSTRUCTIONS,
        data: prompt::data(&material),
        schema: ("facts", prompt::schema(&material)),
        answer_tokens: ANSWER_TOKENS,
        correction: None,
    };
    let read = |answer: &str| answer::read(answer, &material);
    let answered = ask_model(state, language, work.org, task, DEADLINE, read).await?;
    metrics::facts("not_believed", answered.dropped);
    let mut proposals = Vec::new();
    for fact in answered.facts {
        let replaced = fact.supersedes.map(|place| &known[place]);
        if is_known(state, work, &fact, replaced).await? {
            metrics::facts("known", 1);
        } else {
            proposals.push(proposal(work, fact, replaced));
        }
    }
    Ok(proposals)
}

fn proposal(work: &Work, fact: Fact, replaced: Option<&Hit>) -> Proposal {
    let at = fact.sources.iter().map(|place| work.turns[*place].at).max().unwrap_or_default();
    let messages: Vec<_> = fact.sources.iter().filter_map(|place| work.messages.get(*place)).copied().collect();
    let mut memory = work.frame.memory(fact.text, fact.confidence, at);
    memory.source_messages.extend(&messages);
    if let Some(about) = fact.about {
        memory.metadata.insert("about".to_owned(), about.into());
    }
    Proposal { memory, replaces: replaced.map(|hit| MemoryId::from_uuid(hit.entry.id.0)), messages }
}

/// Whether it is remembered in these or in other words. What takes the place of a memory is like it, and says something else
/// nevertheless.
async fn is_known(state: &AppState, work: &Work, fact: &Fact, replaced: Option<&Hit>) -> Result<bool, Error> {
    if let Some(replaced) = replaced {
        return Ok(text_hash(&replaced.entry.text) == text_hash(&fact.text));
    }
    let near = remembered(state, work, &fact.text).await?;
    Ok(near.iter().any(|hit| is_same(&fact.text, &hit.entry.text, hit.parts.cosine)))
}

/// What is remembered of the same owner in the same frame and bears on a text, best first.
async fn remembered(state: &AppState, work: &Work, text: &str) -> Result<Vec<Hit>, Error> {
    let belonging = &work.frame.belonging;
    let wanted = Wanted {
        kinds: vec![Kind::Memory],
        subject: belonging.subject.clone(),
        agent: belonging.agent.clone(),
        project: belonging.project,
        ..Wanted::default()
    };
    let search_for = Search {
        question: text.to_owned(),
        wanted,
        limit: LOOKED_THROUGH,
        ranking: Ranking::default(),
        neighbours: 0,
        budget_tokens: None,
    };
    let allowed = Allowed::of_the_owner(work.org, belonging.subject.as_deref());
    let mut hits = search(state, &allowed, search_for).await?.hits;
    hits.retain(|hit| {
        let of = &hit.entry.attributes;
        of.subject == belonging.subject && of.agent == belonging.agent && of.project == belonging.project
    });
    Ok(hits)
}
