//! The table as template.yaml declares it.

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TableDescription, Tag, TimeToLiveSpecification,
};
use relay::store::key::{
    ATTEMPTS_MADE, DUE, DUE_AT, DUE_INDEX, REVIVALS, STANDING, STANDING_INDEX, STANDING_SINCE,
};

pub(crate) const TABLE: &str = "hookline";

/// An index: its name, its keys, and what else it holds.
struct Index {
    name: &'static str,
    hash: &'static str,
    range: &'static str,
    held: &'static [&'static str],
}

const INDEXES: [Index; 2] = [
    Index { name: DUE_INDEX, hash: DUE, range: DUE_AT, held: &[ATTEMPTS_MADE, REVIVALS] },
    Index { name: STANDING_INDEX, hash: STANDING, range: STANDING_SINCE, held: &[ATTEMPTS_MADE] },
];

/// The name of the table as the database in process has it.
const ARN: &str = "arn:aws:dynamodb:dynoxide:000000000000:table/hookline";

/// A tag of the table that says what its indexes hold. To describe the table instead takes the longer the
/// more is in it, for that counts its items.
const LAYOUT_TAG: &str = "layout";

/// Creates the table where there is none yet.
pub(crate) async fn create(client: &Client) -> anyhow::Result<()> {
    if has_layout(client).await {
        return Ok(());
    }
    // An error means that there is none.
    match client.describe_table().table_name(TABLE).send().await {
        Ok(found) => check(found.table)?,
        Err(_) => create_anew(client).await?,
    }
    let tag = Tag::builder().key(LAYOUT_TAG).value(layout()).build()?;
    let tagged = client.tag_resource().resource_arn(ARN).tags(tag).send().await;
    tagged.map(drop).context("cannot tag the table")
}

fn layout() -> String {
    let of = |index: &Index| format!("{}: {}", index.name, index.held.join(" "));
    INDEXES.iter().map(of).collect::<Vec<_>>().join(" / ")
}

async fn has_layout(client: &Client) -> bool {
    let tags = client.list_tags_of_resource().resource_arn(ARN).send().await;
    let layout = layout();
    tags.is_ok_and(|found| {
        found.tags().iter().any(|tag| tag.key() == LAYOUT_TAG && tag.value() == layout)
    })
}

/// Fails for a table of an older version.
fn check(table: Option<TableDescription>) -> anyhow::Result<()> {
    let found = table.and_then(|table| table.global_secondary_indexes).unwrap_or_default();
    let has = |wanted: &Index| {
        found.iter().filter(|index| index.index_name() == Some(wanted.name)).any(|index| {
            let held = index.projection().map(Projection::non_key_attributes).unwrap_or_default();
            wanted.held.iter().all(|wanted| held.iter().any(|held| held == wanted))
        })
    };
    let has_all = INDEXES.iter().all(has);
    anyhow::ensure!(has_all, "the table is of an older version, start with an empty folder");
    Ok(())
}

async fn create_anew(client: &Client) -> anyhow::Result<()> {
    let attribute = |name: &str| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
    };
    client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk")?)
        .attribute_definitions(attribute("sk")?)
        .attribute_definitions(attribute(DUE)?)
        .attribute_definitions(attribute(DUE_AT)?)
        .attribute_definitions(attribute(STANDING)?)
        .attribute_definitions(attribute(STANDING_SINCE)?)
        .key_schema(key("pk", KeyType::Hash)?)
        .key_schema(key("sk", KeyType::Range)?)
        .set_global_secondary_indexes(Some(INDEXES.iter().map(index).collect::<Result<_, _>>()?))
        .send()
        .await
        .context("cannot create the table")?;
    let expires =
        TimeToLiveSpecification::builder().enabled(true).attribute_name("expires").build()?;
    client
        .update_time_to_live()
        .table_name(TABLE)
        .time_to_live_specification(expires)
        .send()
        .await
        .context("cannot set the table's time to live")?;
    Ok(())
}

fn key(name: &str, kind: KeyType) -> anyhow::Result<KeySchemaElement> {
    Ok(KeySchemaElement::builder().attribute_name(name).key_type(kind).build()?)
}

fn index(index: &Index) -> anyhow::Result<GlobalSecondaryIndex> {
    let projection = Projection::builder()
        .projection_type(ProjectionType::Include)
        .set_non_key_attributes(Some(index.held.iter().map(|name| (*name).to_owned()).collect()))
        .build();
    Ok(GlobalSecondaryIndex::builder()
        .index_name(index.name)
        .key_schema(key(index.hash, KeyType::Hash)?)
        .key_schema(key(index.range, KeyType::Range)?)
        .projection(projection)
        .build()?)
}
