//! The limits of the account and of the template.

use local::usage;

use super::limit::{Limit, Whose};
use super::traffic::Traffic;
use super::{quotas, template};

pub(super) fn all(traffic: &Traffic) -> Vec<Limit> {
    let limit =
        |what: &str, needed, quota, whose| Limit { what: what.into(), needed, quota, whose };
    vec![
        limit(
            "API Gateway: requests to ingest",
            |one| usage::NOTIFICATION.http * one.rate,
            template::ROUTE_REQUESTS,
            Whose::Template("ThrottlingRateLimit"),
        ),
        limit(
            "API Gateway: requests of the account",
            |one| usage::NOTIFICATION.http * one.rate,
            quotas::GATEWAY_REQUESTS,
            Whose::Ask,
        ),
        limit(
            "Lambda: requests to ingest, 10 an instance",
            |one| usage::NOTIFICATION.ingest * one.rate,
            quotas::INSTANCES * quotas::REQUESTS_BY_INSTANCE,
            Whose::Ask,
        ),
        limit("Lambda: instances", Traffic::instances, quotas::INSTANCES, Whose::Ask),
        limit(
            "deliver: instances, endpoints that are well",
            Traffic::deliver,
            template::DELIVER_INSTANCES,
            Whose::Template("DeliverConcurrency"),
        ),
        limit(
            "deliver: instances, endpoints that ail",
            Traffic::aside,
            template::ASIDE_INSTANCES,
            Whose::Template("AsideConcurrency"),
        ),
        limit(
            "deliver: instances of the busier queue",
            |one| one.deliver().max(one.aside()),
            quotas::INSTANCES_OF_QUEUE,
            Whose::Design("more queues"),
        ),
        limit(
            "fanout: events a second of one shard",
            Traffic::events_of_shard,
            traffic.events_of_shard_max(),
            Whose::Design("one batch at a time"),
        ),
        limit(
            "SQS: in flight in the busier queue",
            |one| one.wakes_in_flight().max(one.aside_in_flight()),
            quotas::IN_FLIGHT,
            Whose::Ask,
        ),
        limit(
            "DynamoDB: write units of the table",
            |one| one.table().write,
            quotas::TABLE_WRITES,
            Whose::Ask,
        ),
        limit(
            "DynamoDB: read units of the table",
            |one| one.table().read,
            quotas::TABLE_READS,
            Whose::Ask,
        ),
        limit(
            "DynamoDB: write units of index due",
            |one| one.index("due").write,
            quotas::TABLE_WRITES,
            Whose::Ask,
        ),
        limit(
            "DynamoDB: write units of index standing",
            |one| one.index("standing").write,
            quotas::TABLE_WRITES,
            Whose::Ask,
        ),
        limit("KMS: requests", Traffic::starts, quotas::KEY_REQUESTS, Whose::Ask),
    ]
}
