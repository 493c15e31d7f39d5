//! Tells callers of their limits on every answer, and counts calls of what the gateway answers itself.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use kit::Problem;
use kit::http::client_address;

use crate::domain::route;
use crate::limits::{ONE, Readings};
use crate::state::State;

/// Calls of services are counted where it is known who calls, in [`caller`](super::caller); the readings come back with
/// the request.
pub async fn limit<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    if route::find(request.uri().path()).is_none()
        && let Some(state) = request.app_data::<web::Data<State>>()
    {
        let (readings, admitted) = state.rate_limits().admit_source(client_address(request.request()), ONE);
        request.extensions_mut().insert(readings);
        if let Err(exceeded) = admitted {
            let mut response = request.error_response(Problem::from(exceeded));
            readings.write(response.headers_mut());
            return Ok(response.map_into_right_body());
        }
    }
    let mut response = next.call(request).await?;
    let readings = response.request().extensions().get::<Readings>().copied();
    if let Some(readings) = readings {
        readings.write(response.headers_mut());
    }
    Ok(response.map_into_left_body())
}
