//! Points and searches.

use qdrant_client::qdrant::{
    self as q, points_selector::PointsSelectorOneOf, points_server::Points, query, vector, vector_input, vectors,
};
use tonic::{Request, Response, Status};

use super::{FakeQdrant, Point, changed, filter, invalid};
use crate::vectors::tests::oracle::cosine;

fn dense(vectors: Option<q::Vectors>) -> Result<Vec<f32>, Status> {
    match vectors.and_then(|vectors| vectors.vectors_options) {
        Some(vectors::VectorsOptions::Vector(q::Vector { vector: Some(vector::Vector::Dense(dense)), .. })) => {
            Ok(dense.data)
        }
        other => Err(invalid(format!("one vector expected, not {other:?}"))),
    }
}

fn fits(vector: &[f32], dimension: usize) -> Result<(), Status> {
    if vector.len() != dimension || !vector.iter().all(|number| number.is_finite()) {
        return Err(invalid(format!("Vector dimension error: expected dim: {dimension}, got {}", vector.len())));
    }
    Ok(())
}

fn waits(wait: Option<bool>) -> Result<(), Status> {
    if wait == Some(true) { Ok(()) } else { Err(invalid("a change has to be waited for")) }
}

service! { Points: {
    async fn upsert(&self, request: Request<q::UpsertPoints>) -> Result<Response<q::PointsOperationResponse>, Status> {
        let fault = self.enter("upsert", &request).await?;
        let q::UpsertPoints { collection_name, wait, points, .. } = request.into_inner();
        waits(wait)?;
        let mut state = self.state();
        let collection = state.resolve(&collection_name)?;
        for point in points {
            let id = filter::text(point.id.as_ref())?;
            let vector = dense(point.vectors)?;
            fits(&vector, collection.dimension)?;
            collection.points.insert(id, Point { vector, payload: point.payload });
        }
        changed(fault)
    }

    async fn delete(&self, request: Request<q::DeletePoints>) -> Result<Response<q::PointsOperationResponse>, Status> {
        let fault = self.enter("delete", &request).await?;
        let q::DeletePoints { collection_name, wait, points, .. } = request.into_inner();
        waits(wait)?;
        let Some(PointsSelectorOneOf::Filter(chosen)) = points.and_then(|points| points.points_selector_one_of) else {
            return Err(invalid("points are deleted by a filter that names their organization"));
        };
        let mut state = self.state();
        let collection = state.resolve(&collection_name)?;
        for id in filter::passing(collection, &chosen)? {
            collection.points.remove(&id);
        }
        changed(fault)
    }

    async fn get(&self, request: Request<q::GetPoints>) -> Result<Response<q::GetResponse>, Status> {
        self.enter("get", &request).await?;
        let q::GetPoints { collection_name, ids, .. } = request.into_inner();
        let mut state = self.state();
        let collection = state.resolve(&collection_name)?;
        let mut result = Vec::new();
        for id in ids {
            let text = filter::text(Some(&id))?;
            if text != uuid::Uuid::nil().to_string() {
                return Err(invalid("entries are not read without their organization"));
            }
            if let Some(point) = collection.points.get(&text) {
                let payload = point.payload.clone();
                result.push(q::RetrievedPoint { id: Some(id), payload, ..q::RetrievedPoint::default() });
            }
        }
        Ok(Response::new(q::GetResponse { result, ..q::GetResponse::default() }))
    }

    async fn create_field_index(
        &self,
        request: Request<q::CreateFieldIndexCollection>,
    ) -> Result<Response<q::PointsOperationResponse>, Status> {
        let fault = self.enter("create index", &request).await?;
        let q::CreateFieldIndexCollection { collection_name, wait, field_name, .. } = request.into_inner();
        waits(wait)?;
        self.state().resolve(&collection_name)?.fields.push(field_name);
        changed(fault)
    }

    async fn query(&self, request: Request<q::QueryPoints>) -> Result<Response<q::QueryResponse>, Status> {
        self.enter("query", &request).await?;
        let q::QueryPoints { collection_name, query, filter, limit, params, .. } = request.into_inner();
        let question = match query.and_then(|query| query.variant) {
            Some(query::Variant::Nearest(q::VectorInput { variant: Some(vector_input::Variant::Dense(dense)) })) => {
                dense.data
            }
            other => return Err(invalid(format!("not a vector: {other:?}"))),
        };
        let rounded = params.and_then(|params| Some((params.exact?, params.quantization?)));
        let mut state = self.state();
        let collection = state.resolve(&collection_name)?;
        fits(&question, collection.dimension)?;
        let searched = match (rounded, filter) {
            (Some((true, rounded)), Some(filter)) if rounded.ignore == Some(true) => {
                filter::passing(collection, &filter)?
            }
            // A walk through the graph of everything, as if it found the right ones.
            (Some((false, rounded)), None) if rounded.rescore == Some(true) => {
                collection.points.keys().cloned().collect()
            }
            other => return Err(invalid(format!("not how we search: {other:?}"))),
        };
        let mut result = Vec::new();
        for id in searched {
            let score = cosine(&collection.points[&id].vector, &question);
            result.push(q::ScoredPoint { id: Some(id.into()), score, ..q::ScoredPoint::default() });
        }
        result.sort_by(|a, b| b.score.total_cmp(&a.score));
        result.truncate(usize::try_from(limit.unwrap_or(10)).unwrap());
        Ok(Response::new(q::QueryResponse { result, ..q::QueryResponse::default() }))
    }

    async fn count(&self, request: Request<q::CountPoints>) -> Result<Response<q::CountResponse>, Status> {
        self.enter("count", &request).await?;
        let q::CountPoints { collection_name, filter, exact, .. } = request.into_inner();
        if exact != Some(false) {
            return Err(invalid("to count exactly takes as long as to compare"));
        }
        let mut state = self.state();
        let collection = state.resolve(&collection_name)?;
        let count = match filter {
            Some(filter) => filter::passing(collection, &filter)?.len(),
            None => collection.points.len(),
        };
        let result = Some(q::CountResult { count: count as u64 });
        Ok(Response::new(q::CountResponse { result, ..q::CountResponse::default() }))
    }
}
    update_vectors UpdatePointVectors PointsOperationResponse;
    delete_vectors DeletePointVectors PointsOperationResponse;
    set_payload SetPayloadPoints PointsOperationResponse;
    overwrite_payload SetPayloadPoints PointsOperationResponse;
    delete_payload DeletePayloadPoints PointsOperationResponse;
    clear_payload ClearPayloadPoints PointsOperationResponse;
    delete_field_index DeleteFieldIndexCollection PointsOperationResponse;
    create_vector_name CreateVectorNameRequest PointsOperationResponse;
    delete_vector_name DeleteVectorNameRequest PointsOperationResponse;
    search SearchPoints SearchResponse;
    search_batch SearchBatchPoints SearchBatchResponse;
    search_groups SearchPointGroups SearchGroupsResponse;
    scroll ScrollPoints ScrollResponse;
    recommend RecommendPoints RecommendResponse;
    recommend_batch RecommendBatchPoints RecommendBatchResponse;
    recommend_groups RecommendPointGroups RecommendGroupsResponse;
    discover DiscoverPoints DiscoverResponse;
    discover_batch DiscoverBatchPoints DiscoverBatchResponse;
    update_batch UpdateBatchPoints UpdateBatchResponse;
    query_batch QueryBatchPoints QueryBatchResponse;
    query_groups QueryPointGroups QueryGroupsResponse;
    facet FacetCounts FacetResponse;
    search_matrix_pairs SearchMatrixPoints SearchMatrixPairsResponse;
    search_matrix_offsets SearchMatrixPoints SearchMatrixOffsetsResponse;
}
