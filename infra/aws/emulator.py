"""An AWS to deploy to: MiniStack on loopback, with IAM enforced, also where MiniStack itself does not.

    emulator.py PORT

MiniStack holds the functions' own calls against their roles. What Lambda does in a function's name it does without
asking: reading queues and streams, writing logs, sending what failed. AWS asks the function's role for that too
("Using AWS Lambda with Amazon SQS", "... with Amazon DynamoDB", "Lambda execution role"), and a function's own policy
before a gateway or a rule may call it ("Viewing resource-based IAM policies in Lambda"). Both are added here, and with
them the condition keys of KMS, what permits to send several messages, the partial failure of a stream's batch, and
what the transforms of a template make of its parameters. A name that MiniStack no longer has ends this at once.

Each thing that is asked for is a line of the log: `ASKED`, and in JSON the role or service, the action, the resource,
and whether it was allowed.
"""

import contextvars
import fnmatch
import json
import os
import sys

ADDRESS = "127.0.0.1"

# What Lambda asks the role for before it reads.
POLLING = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "dynamodb": (
        "dynamodb:DescribeStream",
        "dynamodb:GetShardIterator",
        "dynamodb:GetRecords",
        "dynamodb:ListStreams",
    ),
}
LOGGING = ("logs:CreateLogStream", "logs:PutLogEvents")

# IAM has no action of its own for a batch: the one for a single message permits both. ("Amazon SQS API permissions:
# Actions and resource reference".)
PERMITTED_BY = {"sqs:SendMessageBatch": "sqs:SendMessage"}


def main(port: int):
    os.environ |= {
        "AUTH": "true",
        "BIND_HOST": ADDRESS,
        "GATEWAY_PORT": str(port),
        # By it the functions find AWS.
        "AWS_ENDPOINT_URL": f"http://{ADDRESS}:{port}",
        # It would look for containers, and open ports of its own on all interfaces.
        "DOCKER_HOST": "unix:///nonexistent",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    # It reads its environment as it is imported.
    from ministack import app
    from ministack.core import iam_actions, iam_evaluator
    from ministack.services import lambda_svc
    from ministack.services.cloudformation import changesets, provisioners
    from samtranslator.translator import transform

    replace(changesets, "_apply_transforms", remembering_parameters)
    replace(provisioners, "_cw_metric_alarm_record", on_the_first_metric)
    replace(transform, "transform", with_parameters)
    replace(iam_evaluator, "enforce", noted)
    replace(iam_actions, "request_tag_context", with_encryption_context)
    # A number that is a parameter comes as text.
    replace(lambda_svc, "_sqs_esm_concurrency", lambda before: lambda *args: int(before(*args)))
    replace(lambda_svc, "_iter_all_esms", only_readable)
    replace(lambda_svc, "_emit_lambda_logs", only_loggable)
    replace(lambda_svc, "_send_ddb_stream_failure_record", only_sendable)
    replace(lambda_svc, "_execute_function", failed_in_part_is_failed)
    replace(lambda_svc, "_execute_function_with_config_scope", only_for_callers)
    sys.argv = sys.argv[:1]
    app.main()


def replace(module, name: str, changed):
    setattr(module, name, changed(getattr(module, name)))


def on_the_first_metric(before):
    """It knows no alarms on expressions, and none of what it has is evaluated here."""

    def record(name: str, properties: dict):
        if metrics := properties.get("Metrics"):
            measured = metrics[0]["MetricStat"]
            single = {**measured["Metric"], "Period": measured["Period"], "Statistic": measured["Stat"]}
            properties = {**{key: one for key, one in properties.items() if key != "Metrics"}, **single}
        return before(name, properties)

    return record


# What a change set was given, while its template is being transformed.
parameters: contextvars.ContextVar[dict] = contextvars.ContextVar("parameters")


def remembering_parameters(before):
    from ministack.services.cloudformation import engine

    def apply(template: dict, provided=None, previous=None) -> dict:
        values = engine._transform_parameters(template, provided, previous)
        parameters.set(values)
        if "AWS::LanguageExtensions" in template.get("Transform", ()):
            template = {**template, "Resources": with_values(template["Resources"], values)}
        return before(template, provided, previous)

    return apply


def with_values(node, values: dict):
    """The transform of language extensions puts values in place of references to parameters (AWS: its remarks)."""
    match node:
        case {"Ref": str(name)} if name in values:
            return values[name]
        case dict():
            return {name: with_values(one, values) for name, one in node.items()}
        case list():
            return [with_values(one, values) for one in node]
    return node


def with_parameters(before):
    """What a deployment says decides what SAM makes of a template, and not the defaults."""
    return lambda template, _, policies: before(template, parameters.get({}), policies)


def noted(before):
    """Of the functions' own calls too."""
    from ministack.core import iam_evaluator

    def enforce(key: str, action: str, service: str, region: str, resource_arn="*", service_context=None):
        action = PERMITTED_BY.get(action, action)
        denied = before(key, action, service, region, resource_arn=resource_arn, service_context=service_context)
        session = (iam_evaluator.resolve_caller_identity(key) or {}).get("userArn", "")
        if ":assumed-role/" in session:
            note(session.split("/")[1], action, resource_arn, denied is None)
        return denied

    return enforce


def note(role: str, action: str, resource: str, allowed: bool):
    # In one piece: functions ask at the same time.
    os.write(sys.stdout.fileno(), f"ASKED {json.dumps([role, action, resource, allowed])}\n".encode())


def with_encryption_context(before):
    """Key policies and roles may ask for what is sealed with the data (AWS KMS: condition keys)."""

    def context(service: str, action: str, body: bytes, params: dict) -> dict:
        found = before(service, action, body, params)
        if service == "kms" and body[:1] == b"{":
            for name, value in (json.loads(body).get("EncryptionContext") or {}).items():
                found[f"kms:EncryptionContext:{name}"] = value
        return found

    return context


def only_readable(before):
    def mappings():
        for account, region, mapping in before():
            source = mapping["EventSourceArn"]
            actions = POLLING[source.split(":")[2]]
            role = role_of(mapping)
            if all([allowed(account, region, role, action, source) for action in actions]):
                yield account, region, mapping

    return mappings


def only_loggable(before):
    def log(function: dict, *args, **options):
        settings = function.get("config") or function
        _, _, _, region, account, *_ = settings["FunctionArn"].split(":")
        group = settings["LoggingConfig"]["LogGroup"]
        stream = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:any"
        if all([allowed(account, region, settings["Role"], action, stream) for action in LOGGING]):
            before(function, *args, **options)

    return log


def only_sendable(before):
    def send(mapping: dict, *args):
        queue = mapping["DestinationConfig"]["OnFailure"]["Destination"]
        _, _, _, region, account, _ = queue.split(":")
        if allowed(account, region, role_of(mapping), "sqs:SendMessage", queue):
            before(mapping, *args)

    return send


def failed_in_part_is_failed(before):
    """From the first record that failed on, a stream is given again (here: the batch, which fanout does not mind)."""

    def execute(function: dict, event: dict) -> dict:
        result = before(function, event)
        records = event.get("Records") if isinstance(event, dict) else None
        body = result.get("body")
        if records and records[0].get("eventSource") == "aws:dynamodb" and isinstance(body, dict):
            if body.get("batchItemFailures"):
                return {**result, "error": True}
        return result

    return execute


def only_for_callers(before):
    """Who may call a function by its alias stands in its own policy."""

    def execute(function: dict, event: dict) -> dict:
        settings = function.get("config") or function
        caller, source = caller_of(event)
        if caller:
            by_alias = ":".join([*settings["FunctionArn"].split(":")[:7], "live"])
            is_allowed = may_call(settings["FunctionName"], by_alias, caller, source)
            note(caller, "lambda:InvokeFunction", by_alias, is_allowed)
            if not is_allowed:
                return {"body": {"errorMessage": "not authorized", "errorType": "AccessDenied"}, "error": True}
        return before(function, event)

    return execute


def caller_of(event: dict) -> tuple[str, str]:
    """The service that calls a function with this event, and on whose behalf."""
    gateway = event.get("requestContext", {})
    if "apiId" in gateway:
        route = event["routeKey"].replace(" ", "")
        source = f"{gateway['accountId']}:{gateway['apiId']}/{gateway['stage']}/{route}"
        return "apigateway.amazonaws.com", f"arn:aws:execute-api:{event_region()}:{source}"
    if event.get("source") == "aws.events":
        return "events.amazonaws.com", event["resources"][0]
    return "", ""


def event_region() -> str:
    from ministack.core.responses import get_region

    return get_region()


def may_call(name: str, function: str, caller: str, source: str) -> bool:
    from ministack.services import lambda_svc

    for statement in lambda_svc._functions[name]["policy"]["Statement"]:
        sources = statement.get("Condition", {}).get("ArnLike", {}).values()
        if (
            statement["Principal"] == {"Service": caller}
            and statement["Action"] == "lambda:InvokeFunction"
            and statement["Resource"] == function
            and all(fnmatch.fnmatchcase(source, pattern) for pattern in sources)
        ):
            return True
    return False


def role_of(mapping: dict) -> str:
    from ministack.services import lambda_svc

    _, settings = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    return (settings or {}).get("Role", "")


def allowed(account: str, region: str, role: str, action: str, resource: str) -> bool:
    from ministack.core import iam_evaluator

    name = role.rsplit("/", 1)[-1]
    asked = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{name}/lambda",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=region,
    )
    policies = iam_evaluator._gather_role_policies(name, account)
    is_allowed = iam_evaluator.evaluate(asked, policies).decision == "Allow"
    note(name, action, resource, is_allowed)
    return is_allowed


if __name__ == "__main__":
    main(int(sys.argv[1]))
