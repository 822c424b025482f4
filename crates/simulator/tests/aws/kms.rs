use aws_sdk_kms::Client;
use aws_sdk_kms::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use aws_smithy_http_client::Builder;
use simulator::aws::{Aws, Fault, Service};
use tokio::net::TcpListener;

use crate::{clock, config};

const ALIAS: &str = "alias/one";
const CONTEXT: (&str, &str) = ("for", "test");

fn kms(aws: &Aws) -> Client {
    Client::from_conf(config!(aws_sdk_kms, aws.http_client()))
}

/// A new data key: plain, and wrapped.
async fn data_key(client: &Client, key: &str) -> (Vec<u8>, Blob) {
    let made = client
        .generate_data_key()
        .key_id(key)
        .key_spec(DataKeySpec::Aes256)
        .encryption_context(CONTEXT.0, CONTEXT.1)
        .send()
        .await
        .unwrap();
    (made.plaintext.unwrap().into_inner(), made.ciphertext_blob.unwrap())
}

async fn unwrap(
    client: &Client,
    key: Option<&str>,
    wrapped: &Blob,
    context: (&str, &str),
) -> Result<Vec<u8>, SdkError<DecryptError>> {
    let decrypt = client.decrypt().set_key_id(key.map(str::to_owned));
    let decrypt = decrypt.ciphertext_blob(wrapped.clone());
    let done = decrypt.encryption_context(context.0, context.1).send().await?;
    Ok(done.plaintext.unwrap().into_inner())
}

async fn refusal(client: &Client, key: Option<&str>, wrapped: &Blob) -> DecryptError {
    unwrap(client, key, wrapped, CONTEXT).await.unwrap_err().into_service_error()
}

#[tokio::test]
async fn a_data_key_comes_back_by_whatever_name_its_key_is_called() {
    let aws = Aws::memory(clock()).unwrap();
    let arn = aws.create_key(ALIAS);
    let client = kms(&aws);
    let (plain, wrapped) = data_key(&client, ALIAS).await;
    assert_eq!(plain.len(), 32);
    assert!(!wrapped.as_ref().windows(32).any(|part| part == plain));
    let (_, id) = arn.split_once(":key/").unwrap();
    let alias_arn = arn.replace(&format!("key/{id}"), ALIAS);
    for name in [None, Some(ALIAS), Some(id), Some(arn.as_str()), Some(alias_arn.as_str())] {
        assert_eq!(unwrap(&client, name, &wrapped, CONTEXT).await.unwrap(), plain, "{name:?}");
    }
    assert_ne!(data_key(&client, ALIAS).await.0, plain);
}

#[tokio::test]
async fn a_wrapped_key_opens_in_its_context_and_unaltered_only() {
    let aws = Aws::memory(clock()).unwrap();
    aws.create_key(ALIAS);
    let client = kms(&aws);
    let (_, wrapped) = data_key(&client, ALIAS).await;
    for context in [("for", "other"), ("other", "test")] {
        let error = unwrap(&client, None, &wrapped, context).await.unwrap_err();
        assert!(error.into_service_error().is_invalid_ciphertext_exception());
    }
    let wrapped = wrapped.into_inner();
    for at in 0..wrapped.len() {
        let mut altered = wrapped.clone();
        altered[at] ^= 1;
        let error = refusal(&client, Some(ALIAS), &Blob::new(altered)).await;
        assert!(error.is_invalid_ciphertext_exception(), "byte {at}");
        let part = &wrapped[..at];
        let error = refusal(&client, Some(ALIAS), &Blob::new(part)).await;
        let too_short = at == 0 && error.code() == Some("ValidationException");
        assert!(too_short || error.is_invalid_ciphertext_exception(), "{at} bytes");
    }
}

#[tokio::test]
async fn keys_are_told_apart() {
    let aws = Aws::memory(clock()).unwrap();
    aws.create_key(ALIAS);
    assert_ne!(aws.create_key("alias/two"), aws.create_key(ALIAS));
    let client = kms(&aws);
    let (_, wrapped) = data_key(&client, ALIAS).await;
    let error = refusal(&client, Some("alias/two"), &wrapped).await;
    assert!(error.is_incorrect_key_exception());
    let error = refusal(&client, Some("alias/three"), &wrapped).await;
    assert!(error.is_not_found_exception());

    let another = Aws::memory(clock()).unwrap();
    another.create_key(ALIAS);
    let error = refusal(&kms(&another), Some(ALIAS), &wrapped).await;
    assert!(error.is_invalid_ciphertext_exception());
}

#[tokio::test]
async fn a_data_key_has_the_size_that_is_asked_for() {
    let aws = Aws::memory(clock()).unwrap();
    aws.create_key(ALIAS);
    let client = kms(&aws);
    let ask = |spec: Option<DataKeySpec>, bytes| {
        let call = client.generate_data_key().key_id(ALIAS).set_key_spec(spec);
        let call = call.set_number_of_bytes(bytes);
        async { call.send().await.map(|made| made.plaintext.unwrap().into_inner().len()) }
    };
    assert_eq!(ask(Some(DataKeySpec::Aes128), None).await.unwrap(), 16);
    assert_eq!(ask(None, Some(1024)).await.unwrap(), 1024);
    for (spec, bytes) in [(None, None), (None, Some(1025)), (Some(DataKeySpec::Aes256), Some(32))] {
        let error = ask(spec, bytes).await.unwrap_err().into_service_error();
        assert_eq!(error.code(), Some("ValidationException"));
    }
    let call = client.generate_data_key().key_id("alias/none").number_of_bytes(32);
    assert!(call.send().await.unwrap_err().into_service_error().is_not_found_exception());
}

#[tokio::test]
async fn the_master_key_stays_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kms.key");
    let open = || {
        let aws = Aws::in_folder(folder.path(), clock()).unwrap();
        aws.create_key(ALIAS);
        kms(&aws)
    };
    let (plain, wrapped) = data_key(&open(), ALIAS).await;
    assert_eq!(unwrap(&open(), Some(ALIAS), &wrapped, CONTEXT).await.unwrap(), plain);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    std::fs::write(&path, "short").unwrap();
    assert!(Aws::in_folder(folder.path(), clock()).is_err(), "never replaced by another");
    std::fs::remove_file(&path).unwrap();
    let error = refusal(&open(), Some(ALIAS), &wrapped).await;
    assert!(error.is_invalid_ciphertext_exception());
}

#[tokio::test]
async fn faults_meet_calls_of_kms() {
    let aws = Aws::memory(clock()).unwrap();
    aws.create_key(ALIAS);
    let client = kms(&aws);
    let (_, wrapped) = data_key(&client, ALIAS).await;
    aws.reset_calls();
    aws.inject(|call| match (call.service, call.number) {
        (Service::Key, 1) => Some(Fault::Refuse),
        (Service::Key, 2) => Some(Fault::Throttle),
        _ => None,
    });
    assert!(refusal(&client, Some(ALIAS), &wrapped).await.is_kms_internal_exception());
    let throttled = refusal(&client, Some(ALIAS), &wrapped).await;
    assert_eq!(throttled.code(), Some("ThrottlingException"));
    assert!(unwrap(&client, Some(ALIAS), &wrapped, CONTEXT).await.is_ok());
    let calls = aws.calls();
    assert_eq!((calls[0].operation.as_str(), calls[0].resource.as_str()), ("Decrypt", ALIAS));
}

#[tokio::test]
async fn a_program_beside_this_one_meets_the_same_keys() {
    let aws = Aws::memory(clock()).unwrap();
    aws.create_key(ALIAS);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = aws.clone();
    tokio::spawn(async move { server.serve(listener).await });
    let config = config!(aws_sdk_kms, Builder::new().build_http());
    let beside = Client::from_conf(config.to_builder().endpoint_url(url).build());

    let (plain, wrapped) = data_key(&beside, ALIAS).await;
    assert_eq!(unwrap(&kms(&aws), Some(ALIAS), &wrapped, CONTEXT).await.unwrap(), plain);
    assert_eq!(unwrap(&beside, Some(ALIAS), &wrapped, CONTEXT).await.unwrap(), plain);
    let error = refusal(&beside, Some("alias/none"), &wrapped).await;
    assert!(error.is_not_found_exception());
}
