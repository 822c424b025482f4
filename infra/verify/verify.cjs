// Tells of each case on stdin what the npm package `standardwebhooks` makes of it: `good`, `refused`, or what else went
// wrong.

const { Webhook, WebhookVerificationError } = require("standardwebhooks");

const cases = JSON.parse(require("node:fs").readFileSync(0));
const verdicts = cases.map(({ secret, headers, body }) => {
  try {
    new Webhook(secret).verify(Buffer.from(body, "base64"), headers, { jsonParse: false });
    return "good";
  } catch (error) {
    return error instanceof WebhookVerificationError ? "refused" : String(error);
  }
});
process.stdout.write(JSON.stringify(verdicts));
