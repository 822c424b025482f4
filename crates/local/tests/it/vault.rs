//! Secrets in the table: sealed, and opened where they belong.

use aws_sdk_dynamodb::types::AttributeValue;
use local::World;
use relay::vault::{CONTEXT, VaultError};
use secrecy::{ExposeSecret as _, SecretString};
use simulator::Clock;
use simulator::aws::{Aws, Call, Fault, Service};

use crate::stage::{self, dice};

const PLACE: &str = "5500001/s-1/password";
const PLAIN: &str = "Grüße vom Endpunkt, 32 bytes and more";

fn aws() -> (Aws, Clock) {
    let clock = Clock::manual(stage::start());
    (Aws::memory(clock.clone()).unwrap(), clock)
}

async fn deploy((aws, clock): &(Aws, Clock)) -> World {
    World::new(aws.clone(), clock.clone(), dice()).await.unwrap()
}

async fn seal(world: &World) -> Vec<u8> {
    world.vault.seal(PLACE, &SecretString::from(PLAIN)).await.unwrap()
}

async fn opened(world: &World, sealed: &[u8]) -> String {
    world.vault.open(PLACE, sealed).await.unwrap().expose_secret().to_owned()
}

fn operations_of_kms(aws: &Aws) -> Vec<String> {
    let calls = aws.calls().into_iter().filter(|call| call.service == Service::Key);
    calls.map(|call| call.operation).collect()
}

#[tokio::test]
async fn a_secret_is_sealed_differently_each_time_and_opens_again() {
    let world = deploy(&aws()).await;
    let (one, other) = (seal(&world).await, seal(&world).await);
    assert_ne!(one, other);
    assert_eq!(one.len(), PLAIN.len() + 30);
    assert_eq!(opened(&world, &one).await, PLAIN);
    assert_eq!(opened(&world, &other).await, PLAIN);
    let empty = world.vault.seal(PLACE, &SecretString::from("")).await.unwrap();
    assert_eq!(opened(&world, &empty).await, "");
}

#[tokio::test]
async fn a_process_asks_kms_once_and_the_next_one_again() {
    let base = aws();
    base.0.reset_calls();
    let world = deploy(&base).await;
    let sealed = seal(&world).await;
    for _ in 0..3 {
        seal(&world).await;
        opened(&world.clone(), &sealed).await;
    }
    assert_eq!(operations_of_kms(&base.0), ["GenerateDataKey"]);

    base.0.reset_calls();
    let redeployed = deploy(&base).await;
    for _ in 0..3 {
        assert_eq!(opened(&redeployed, &sealed).await, PLAIN);
    }
    let again = seal(&redeployed).await;
    assert_eq!(operations_of_kms(&base.0), ["Decrypt"]);
    assert_eq!(opened(&world, &again).await, PLAIN);
}

#[tokio::test]
async fn a_folder_keeps_what_is_needed_to_open() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let clock = Clock::manual(stage::start());
        (Aws::in_folder(folder.path(), clock.clone()).unwrap(), clock)
    };
    let sealed = seal(&deploy(&open()).await).await;
    assert_eq!(opened(&deploy(&open()).await, &sealed).await, PLAIN);
    // Without the master key it is lost, and that is told.
    std::fs::remove_file(folder.path().join("kms.key")).unwrap();
    let lost = deploy(&open()).await.vault.open(PLACE, &sealed).await;
    assert!(matches!(lost, Err(VaultError::Kms { .. })));
}

#[tokio::test]
async fn sealed_text_opens_nowhere_else() {
    let world = deploy(&aws()).await;
    let sealed = seal(&world).await;
    for place in ["", "5500001/s-2/password", "5500002/s-1/password", "5500001/s-1/password/"] {
        let elsewhere = world.vault.open(place, &sealed).await;
        assert!(matches!(elsewhere, Err(VaultError::Unsound)), "{place}");
    }
    let stranger = deploy(&aws()).await;
    let unknown = stranger.vault.open(PLACE, &sealed).await;
    assert!(matches!(unknown, Err(VaultError::NoDataKey(1))));
    seal(&stranger).await;
    assert!(matches!(stranger.vault.open(PLACE, &sealed).await, Err(VaultError::Unsound)));
}

#[tokio::test]
async fn no_bit_can_be_changed_and_no_byte_left_out() {
    let world = deploy(&aws()).await;
    let sealed = seal(&world).await;
    for bit in 0..sealed.len() * 8 {
        let mut altered = sealed.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let error = world.vault.open(PLACE, &altered).await.unwrap_err();
        let told = match bit / 8 {
            0 => matches!(error, VaultError::UnknownVersion(_)),
            1 => matches!(error, VaultError::NoDataKey(_)),
            _ => matches!(error, VaultError::Unsound),
        };
        assert!(told, "bit {bit}: {error}");
    }
    for length in 0..sealed.len() {
        let error = world.vault.open(PLACE, &sealed[..length]).await.unwrap_err();
        assert!(matches!(error, VaultError::Unsound), "{length} bytes: {error}");
    }
    let longer = [sealed.as_slice(), &[0]].concat();
    assert!(matches!(world.vault.open(PLACE, &longer).await, Err(VaultError::Unsound)));
}

#[tokio::test]
async fn of_two_first_seals_at_once_both_open() {
    let base = aws();
    let (one, other) = (deploy(&base).await, deploy(&base).await);
    // KMS refuses each once: while the SDK waits to repeat the call, the other finds no data key too.
    base.0.reset_calls();
    let aws = base.0.clone();
    base.0.inject(move |call| {
        let early = operations_of_kms(&aws).len() < 2;
        (call.service == Service::Key && early).then_some(Fault::Refuse)
    });
    let (first, second) = tokio::join!(seal(&one), seal(&other));
    base.0.heal();
    let mut operations = operations_of_kms(&base.0);
    assert_eq!(operations.pop().as_deref(), Some("Decrypt"), "by the one that came second");
    assert_eq!(operations, ["GenerateDataKey"; 4]);
    for world in [one, other, deploy(&base).await] {
        assert_eq!(opened(&world, &first).await, PLAIN);
        assert_eq!(opened(&world, &second).await, PLAIN);
    }
}

#[tokio::test]
async fn what_kms_or_the_table_refuse_is_an_error_until_they_are_back() {
    let faults = [Fault::Refuse, Fault::Throttle, Fault::LoseAnswer];
    for (fault, service) in faults
        .into_iter()
        .flat_map(|fault| [Service::Key, Service::Table].map(|service| (fault, service)))
    {
        let base = aws();
        let world = deploy(&base).await;
        let fails = move |call: &Call| (call.service == service).then_some(fault);
        base.0.inject(fails);
        let refused = world.vault.seal(PLACE, &SecretString::from(PLAIN)).await.unwrap_err();
        match service {
            Service::Key => assert!(matches!(refused, VaultError::Kms { .. }), "{fault:?}"),
            _ => assert!(matches!(refused, VaultError::Store(_)), "{fault:?}"),
        }
        base.0.heal();
        let sealed = seal(&world).await;
        assert_eq!(opened(&world, &sealed).await, PLAIN);

        let fresh = deploy(&base).await;
        base.0.inject(fails);
        assert!(fresh.vault.open(PLACE, &sealed).await.is_err(), "{fault:?}");
        assert_eq!(opened(&world, &sealed).await, PLAIN, "it remembers");
        base.0.heal();
        assert_eq!(opened(&fresh, &sealed).await, PLAIN);
    }
}

#[tokio::test]
async fn a_put_whose_answer_is_lost_makes_one_data_key() {
    let base = aws();
    let world = deploy(&base).await;
    base.0.reset_calls();
    let aws = base.0.clone();
    base.0.inject(move |call| {
        let puts = aws.calls().iter().filter(|call| call.operation == "PutItem").count();
        (call.operation == "PutItem" && puts == 0).then_some(Fault::LoseAnswer)
    });
    let sealed = seal(&world).await;
    base.0.heal();
    assert_eq!(operations_of_kms(&base.0), ["GenerateDataKey"], "what stood was its own");
    assert_eq!(opened(&deploy(&base).await, &sealed).await, PLAIN);
}

#[tokio::test]
async fn the_table_holds_the_data_key_wrapped_and_nothing_plain() {
    let stage = stage::Stage::new(0, None).await;
    let sealed = seal(&stage.world).await;
    let items = stage.dynamodb().scan().table_name("hookline").send().await.unwrap().items.unwrap();
    let of_vault: Vec<_> =
        items.iter().filter(|item| item["pk"] == AttributeValue::S("VAULT".into())).collect();
    assert_eq!(of_vault.len(), 1);
    assert_eq!(of_vault[0]["sk"], AttributeValue::S("KEY#1".into()));
    let wrapped = of_vault[0]["wrapped"].as_b().unwrap();
    assert!(wrapped.as_ref().len() > 32, "the key's id, a nonce and a tag are around it");
    let dump = format!("{items:?}");
    assert!(!dump.contains(PLAIN));
    assert!(!sealed.windows(8).any(|part| PLAIN.as_bytes().windows(8).any(|it| it == part)));
}

#[tokio::test]
async fn no_error_tells_what_kms_answered() {
    let base = aws();
    let world = deploy(&base).await;
    base.0.inject(|call| (call.service == Service::Key).then_some(Fault::Refuse));
    let error = world.vault.seal(PLACE, &SecretString::from(PLAIN)).await.unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(told.contains("KMSInternalException"), "{told}");
    assert!(!told.contains("Response") && !told.contains(PLAIN), "{told}");
}

#[test]
fn the_template_grants_the_context_that_the_code_gives() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml");
    let template = std::fs::read_to_string(path).unwrap();
    let (name, value) = CONTEXT;
    let condition = format!("{{StringEquals: {{\"kms:EncryptionContext:{name}\": {value}}}}}");
    let (_, grant) = template.split_once("Action: kms:Decrypt").unwrap();
    let statement: Vec<&str> = grant.lines().take(3).collect();
    assert!(statement.join(" ").contains(&condition), "{statement:?}");
}
