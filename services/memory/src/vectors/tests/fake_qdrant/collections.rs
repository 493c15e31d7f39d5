//! Collections and aliases.

use qdrant_client::qdrant::{
    self as q, alias_operations::Action, collections_server::Collections, quantization_config::Quantization,
    vectors_config::Config,
};
use tonic::{Request, Response, Status};

use super::{Collection, FakeQdrant, Fault, answer, invalid};

fn done(fault: Option<Fault>) -> Result<Response<q::CollectionOperationResponse>, Status> {
    answer(fault)?;
    Ok(Response::new(q::CollectionOperationResponse { result: true, time: 0.0 }))
}

fn dimension(config: Option<q::VectorsConfig>) -> Option<u64> {
    match config?.config? {
        Config::Params(params) if params.distance() == q::Distance::Cosine => Some(params.size),
        _ => None,
    }
}

service! { Collections: {
    async fn create(&self, request: Request<q::CreateCollection>) -> Result<Response<q::CollectionOperationResponse>, Status> {
        let fault = self.enter("create", &request).await?;
        let q::CreateCollection { collection_name, vectors_config, hnsw_config, quantization_config, .. } = request.into_inner();
        let dimension = dimension(vectors_config).ok_or_else(|| invalid("one vector compared by its cosine"))?;
        let graphs = hnsw_config.ok_or_else(|| invalid("graphs"))?;
        if (graphs.m, graphs.payload_m) != (Some(16), Some(0)) {
            return Err(invalid("one graph of everything"));
        }
        let rounded = quantization_config.and_then(|config| config.quantization);
        if !matches!(rounded, Some(Quantization::Scalar(scalar)) if scalar.r#type() == q::QuantizationType::Int8) {
            return Err(invalid("8 bits a number"));
        }
        let mut state = self.state();
        if state.names().contains(&collection_name.as_str()) {
            return Err(Status::already_exists(format!("Collection `{collection_name}` already exists!")));
        }
        let collection = Collection { dimension: usize::try_from(dimension).unwrap(), ..Collection::default() };
        state.collections.insert(collection_name, collection);
        done(fault)
    }

    async fn delete(&self, request: Request<q::DeleteCollection>) -> Result<Response<q::CollectionOperationResponse>, Status> {
        let fault = self.enter("delete collection", &request).await?;
        let name = request.into_inner().collection_name;
        let mut state = self.state();
        if !state.collections.contains_key(&name) {
            return Err(Status::not_found(name));
        }
        state.delete(&name);
        done(fault)
    }

    async fn get(&self, request: Request<q::GetCollectionInfoRequest>) -> Result<Response<q::GetCollectionInfoResponse>, Status> {
        self.enter("collection info", &request).await?;
        let mut state = self.state();
        let collection = state.resolve(&request.into_inner().collection_name)?;
        let vectors = q::VectorParams {
            size: collection.dimension as u64,
            distance: q::Distance::Cosine.into(),
            ..q::VectorParams::default()
        };
        let params = q::CollectionParams {
            vectors_config: Some(q::VectorsConfig { config: Some(Config::Params(vectors)) }),
            ..q::CollectionParams::default()
        };
        let info = q::CollectionInfo {
            config: Some(q::CollectionConfig { params: Some(params), ..q::CollectionConfig::default() }),
            points_count: Some(collection.points.len() as u64),
            indexed_vectors_count: Some(collection.points.len() as u64),
            ..q::CollectionInfo::default()
        };
        Ok(Response::new(q::GetCollectionInfoResponse { result: Some(info), time: 0.0 }))
    }

    async fn list(&self, request: Request<q::ListCollectionsRequest>) -> Result<Response<q::ListCollectionsResponse>, Status> {
        self.enter("list collections", &request).await?;
        let names = self.state().collections.keys().cloned().collect::<Vec<_>>();
        let collections = names.into_iter().map(|name| q::CollectionDescription { name }).collect();
        Ok(Response::new(q::ListCollectionsResponse { collections, time: 0.0 }))
    }

    async fn list_aliases(&self, request: Request<q::ListAliasesRequest>) -> Result<Response<q::ListAliasesResponse>, Status> {
        self.enter("list aliases", &request).await?;
        let aliases = self.state().aliases.clone().into_iter();
        let aliases = aliases.map(|(alias_name, collection_name)| q::AliasDescription { alias_name, collection_name }).collect();
        Ok(Response::new(q::ListAliasesResponse { aliases, time: 0.0 }))
    }

    async fn update_aliases(&self, request: Request<q::ChangeAliases>) -> Result<Response<q::CollectionOperationResponse>, Status> {
        let fault = self.enter("update aliases", &request).await?;
        let mut state = self.state();
        for action in request.into_inner().actions {
            let Some(Action::CreateAlias(create)) = action.action else { return Err(invalid("an alias to create")) };
            let q::CreateAlias { collection_name, alias_name } = create;
            if state.collections.contains_key(&alias_name) {
                return Err(invalid("a collection has that name"));
            }
            if !state.collections.contains_key(&collection_name) {
                return Err(Status::not_found(collection_name));
            }
            state.aliases.insert(alias_name, collection_name);
        }
        done(fault)
    }
}
    update UpdateCollection CollectionOperationResponse;
    list_collection_aliases ListCollectionAliasesRequest ListAliasesResponse;
    collection_cluster_info CollectionClusterInfoRequest CollectionClusterInfoResponse;
    collection_exists CollectionExistsRequest CollectionExistsResponse;
    update_collection_cluster_setup UpdateCollectionClusterSetupRequest UpdateCollectionClusterSetupResponse;
    create_shard_key CreateShardKeyRequest CreateShardKeyResponse;
    delete_shard_key DeleteShardKeyRequest DeleteShardKeyResponse;
    list_shard_keys ListShardKeysRequest ListShardKeysResponse;
}
