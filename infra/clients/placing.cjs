// Places orders of each type that the npm package `@bandwidth/numbers` knows, through the relay at the sandbox, and
// reads, changes and closes them. What the client reads is to be the tenant's. The last line names what was placed.

const {
  CsrOrder, Disconnect, Dlda, EmergencyNotification, ImportTnOrder, ImportToAccount, Lidbs, LsrOrder, Order, PortIn,
  RemoveImportedTnOrder, TnOption,
} = require("@bandwidth/numbers");

const {
  answer, check, client, given, history, isPast, notes, numbersOf, one, part, pause, refused, same, unhandled,
} = require("./checks.cjs");

const STATE_MILLISECONDS_MAX = 30_000;

const { account, sandbox } = given;
const siteId = sandbox.site;
const ported = ["9195550130", "9195550131"];
const base = `${given.url}/api/accounts/${account}/`;

// ---- What the client reads

const heard = [];
const locations = [];
const { prepareRequest } = client;
client.prepareRequest = function (request) {
  return prepareRequest.call(client, request).on("response", (response) => {
    heard.push(`${JSON.stringify(response.headers)} ${response.text}`);
    if (response.headers.location) locations.push(response.headers.location);
  });
};

// ---- Checks

const placed = {};

// Some calls ask for what they have made, and find it in a later state.
function isNew(type, id, status, ...expected) {
  check(`${type}: create gives an id`, /^[0-9a-f-]{36}$/.test(id), id);
  check(`${type}: create gives its state`, expected.includes(status), status);
  placed[id] = type;
}

// Asks until the order is in that state.
async function becomes(name, get, state) {
  const end = Date.now() + STATE_MILLISECONDS_MAX;
  let last = await get();
  while (last !== state && Date.now() < end) {
    await pause();
    last = await get();
  }
  same(`${name}: its state`, last, state);
}

// A failed order is an error for the client, with its item beside it, of which the promise knows nothing.
async function failed(promise) {
  try {
    await answer(promise);
    return "no error";
  } catch (error) {
    return error.code;
  }
}

// ---- Orders

async function order(name, state, wanted) {
  const { order, orderStatus } = await answer(Order.createAsync(client, { name, siteId, ...wanted }));
  isNew("orders", order.id, orderStatus, "RECEIVED");
  const get = async () => (await answer(Order.getAsync(client, order.id))).orderStatus;
  await becomes(`orders: ${name}`, get, state);
  return answer(Order.getAsync(client, order.id));
}

async function numberOrders() {
  const search = (quantity) => ({ areaCodeSearchAndOrderType: { areaCode: "919", quantity } });
  const got = await order("by area code", "COMPLETE", { customerOrderId: "NPM-1", ...search(2) });
  const bought = got.completedNumbers.telephoneNumber.map((number) => number.fullNumber);
  same("orders: what was asked for", [got.order.customerOrderId, got.order.siteId], ["NPM-1", Number(siteId)]);
  same("orders: its quantities", [got.completedQuantity, got.failedQuantity, got.pendingQuantity], [2, 0, 0]);
  await numbersOf("orders", got.order, bought);
  const totals = await answer(got.order.getTotalsAsync());
  same("orders: totals", totals.map((total) => total.count), [2]);
  await history("orders", got.order, { states: ["RECEIVED", "COMPLETE"] });
  await notes("orders", got.order);
  const rows = async () => {
    const { listOrderIdUserIdDate: list } = await answer(Order.listAsync(client, { customerOrderId: "NPM-1" }));
    return [list.orderIdUserIdDate || []].flat().map((row) => [row.orderId, row.orderStatus, row.accountId]);
  };
  await becomes("orders: in the list", async () => (await rows()).length, 1);
  same("orders: the list", await rows(), [[got.order.id, "COMPLETE", Number(account)]]);

  const telephoneNumberList = { telephoneNumber: given.numbers };
  const those = await order("given numbers", "COMPLETE", { existingTelephoneNumberOrderType: { telephoneNumberList } });
  const numbers = those.completedNumbers.telephoneNumber.map((number) => number.fullNumber);
  same("orders: they are those numbers", numbers, given.numbers);

  const flags = { backOrderRequested: true, partialAllowed: true };
  const { order: waiting } = await order("one is there", "BACKORDERED", {
    ...flags, ...search(3), customerOrderId: "ONE-3",
  });
  await answer(waiting.updateAsync({ name: "renamed", customerOrderId: "ONE-4" }));
  const renamed = await answer(Order.getAsync(client, waiting.id));
  const names = [renamed.order.name, renamed.order.customerOrderId, renamed.orderStatus];
  same("orders: a backorder is renamed", names, ["renamed", "ONE-4", "BACKORDERED"]);
  await answer(waiting.updateAsync({ closeOrder: true }));
  same("orders: a partial order is an error", await failed(Order.getAsync(client, waiting.id)), 5017);
  const changes = await answer(waiting.getHistoryAsync());
  const states = changes.map((change) => change.status);
  same("orders: history of a backorder", states, ["RECEIVED", "BACKORDERED", "BACKORDERED", "PARTIAL"]);
  same("orders: what was renamed", changes[2].difference, "CustomerOrderId : ONE-3 --> ONE-4");
  const { telephoneNumber, count } = await answer(waiting.getTnsAsync());
  check("orders: a backorder is closed with what it has", count === 1 && telephoneNumber.startsWith("919"), count);
  await refused("orders: closing it again is refused", waiting.updateAsync({ closeOrder: true }), 400, "5060");

  const { order: empty } = await order("none is there", "BACKORDERED", {
    ...flags, ...search(3), customerOrderId: "NONE-2",
  });
  await answer(empty.updateAsync({ closeOrder: true }));
  same("orders: a failed order is an error", await failed(Order.getAsync(client, empty.id)), 5018);

  await refused("orders: no site is refused", Order.createAsync(client, search(1)), 400, "<Code>5022</Code>");
  const nowhere = Order.createAsync(client, { siteId: 1, ...search(1) });
  await refused("orders: a site that is none is refused", nowhere, 400, "<Code>5016</Code>");
  return bought;
}

// ---- Port-ins

async function portIns() {
  const made = await answer(PortIn.createAsync(client, {
    customerOrderId: "NPM-PORT",
    siteId,
    billingTelephoneNumber: ported[0],
    subscriber: { subscriberType: "BUSINESS", businessName: "Grüße <&> Co" },
    loaAuthorizingPerson: "Somebody",
    listOfPhoneNumbers: { phoneNumber: ported },
  }));
  isNew("portins", made.id, made.processingStatus, "PENDING_DOCUMENTS");
  const got = await answer(PortIn.getAsync(client, made.id));
  const said = [got.orderId, got.accountId, got.customerOrderId, got.subscriber.businessName];
  same("portins: get", said, [made.id, Number(account), "NPM-PORT", "Grüße <&> Co"]);
  check("portins: its dates", isPast(got.orderCreateDate) && isPast(got.lastModifiedDate), got.lastModifiedDate);
  await numbersOf("portins", got, ported);
  const twice = PortIn.createAsync(client, { siteId, listOfPhoneNumbers: { phoneNumber: ported } });
  await refused("portins: a number that is being ported", twice, 400, "<Code>7205</Code>");
  await refused("portins: one without a site", PortIn.createAsync(client, { partialPort: false }), 400, "7309");

  await documents(got);
  const state = async () => (await answer(PortIn.getAsync(client, made.id))).processingStatus;
  await becomes("portins: with its document", state, "SUBMITTED");
  const supp = await answer(got.updateAsync({ customerOrderId: "NPM-PORT", partialPort: false, siteId }));
  same("portins: a change", [supp.status.code, supp.processingStatus], [200, "REQUESTED_SUPP"]);
  await becomes("portins: after the change", state, "SUBMITTED");
  const states = ["PENDING_DOCUMENTS", "SUBMITTED", "REQUESTED_SUPP", "SUBMITTED"];
  await history("portins", got, { states });
  await notes("portins", got);
  await answer(got.deleteAsync());
  same("portins: it is to be cancelled", await state(), "REQUESTED_CANCEL");
  await refused("portins: cancelling it again", got.deleteAsync(), 400, "7304");
}

async function documents(portin) {
  // No text: a byte that is changed on the way shows.
  const [first, second] = [0, 1].map((nth) => Buffer.from([0x25, 0x50, 0x44, 0x46, 0x0d, 0x0a, 0x00, 0xff, nth]));
  const name = await answer(portin.createFileAsync(first, "application/pdf"));
  check("portins: a document gets a name", name.endsWith(".pdf"), name);
  const content = async () => (await portin.getFile(name).responseType("blob")).body.toString("hex");
  same("portins: it is that document", await content(), first.toString("hex"));
  await answer(portin.updateFileMetadataAsync(name, { documentName: "letter", documentType: "LOA" }));
  const said = await answer(portin.getFileMetadataAsync(name));
  same("portins: what it is", [said.documentName, said.documentType], ["letter", "LOA"]);
  await answer(portin.updateFileAsync(name, second, "application/pdf"));
  same("portins: another in its place", await content(), second.toString("hex"));
  const file = await answer(portin.getFilesAsync(true));
  same("portins: the documents", file.fileName, name);
  await refused("portins: a document that is not there", portin.getFileMetadataAsync("a.pdf"), 404, "does not exist");
}

// ---- The other types

async function others(number, other) {
  const disconnect = await answer(Disconnect.createAsync(client, "away", [number]));
  const away = disconnect.orderRequest.id;
  isNew("disconnects", away, disconnect.orderStatus, "RECEIVED");
  const gone = () => answer(Disconnect.getAsync(client, away, { tndetail: true }));
  await becomes("disconnects", async () => (await gone()).orderStatus, "COMPLETE");
  same("disconnects: get", (await gone()).disconnectedTelephoneNumberList.telephoneNumber, number);
  await notes("disconnects", one(Disconnect, { id: away }));

  const made = async (type, status, get, created, first = "RECEIVED", last = "COMPLETE") => {
    isNew(type, created.orderId, created[status], first, last);
    await becomes(type, async () => (await get(created.orderId))[status], last);
    const got = await get(created.orderId);
    same(`${type}: get`, [got.orderId, got.accountId], [created.orderId, Number(account)]);
    return { ...got, id: got.orderId };
  };
  const states = ["RECEIVED", "COMPLETE"];
  const telephoneNumbers = { telephoneNumber: other };

  const getLsr = (id) => answer(LsrOrder.getAsync(client, id));
  const lsr = await answer(LsrOrder.createAsync(client, { pON: "1", sPID: "x", customerOrderId: "NPM LSR" }));
  const local = one(LsrOrder, await made("lsrorders", "orderStatus", getLsr, lsr, "PENDING"));
  await answer(local.updateAsync({ sPID: "y" }));
  await history("lsrorders", local, { states: ["PENDING", "COMPLETE"] });
  await notes("lsrorders", local);

  const getCsr = (id) => answer(CsrOrder.getAsync(client, id));
  const csr = await answer(CsrOrder.createAsync(client, { customerOrderId: "NPM CSR", workingTelephoneNumber: other }));
  const record = one(CsrOrder, await made("csrs", "status", getCsr, csr, "RECEIVED", "ACTION_REQUIRED"));
  await answer(record.updateAsync({ customerOrderId: "NPM CSR" }));
  await becomes("csrs: after the change", async () => (await getCsr(record.id)).status, "COMPLETE");
  await notes("csrs", record);

  const getDlda = (id) => answer(Dlda.getAsync(client, id));
  const dlda = { customerOrderId: "NPM DLDA", dldaTnGroups: { dldaTnGroup: [{ telephoneNumbers }] } };
  const listing = await answer(Dlda.createAsync(client, dlda));
  const listed = await made("dldas", "processingStatus", getDlda, listing);
  await history("dldas", one(Dlda, listed), { states });

  const getLidb = (id) => answer(Lidbs.getAsync(client, id));
  const lidb = { customerOrderId: "NPM LIDB", lidbTnGroups: { lidbTnGroup: [{ telephoneNumbers }] } };
  const name = await answer(Lidbs.createAsync(client, lidb));
  const named = await made("lidbs", "processingStatus", getLidb, name, "PENDING");
  same("lidbs: what was asked for", named.lidbTnGroups.lidbTnGroup.telephoneNumbers.telephoneNumber, other);

  const getOption = (id) => answer(TnOption.getAsync(client, id));
  const groups = [{ telephoneNumbers: [other], sms: "on" }];
  const option = await answer(TnOption.createAsync(client, { customerOrderId: "NPM TO", tnOptionGroups: groups }));
  const chosen = await made("tnoptions", "processingStatus", getOption, option);
  same("tnoptions: what was asked for", chosen.tnOptionGroups, [{ telephoneNumbers: [other], sms: "on" }]);

  const getImport = (id) => answer(ImportTnOrder.getAsync(client, id));
  const imported = await answer(ImportTnOrder.createAsync(client, { siteId, sipPeerId: 1 }, [other]));
  const hosted = await made("importtnorders", "processingStatus", getImport, imported);
  await history("importtnorders", one(ImportTnOrder, hosted), { states });

  const getRemoval = (id) => answer(RemoveImportedTnOrder.getAsync(client, id, {}));
  const removal = await answer(RemoveImportedTnOrder.createAsync(client, "NPM REMOVAL", [other]));
  const removed = await made("removeImportedTnOrders", "processingStatus", getRemoval, removal);
  await history("removeImportedTnOrders", one(RemoveImportedTnOrder, removed), { states });

  const { createGroupOrderAsync, getGroupOrderAsync, createEndpointOrderAsync, getEndpointOrderAsync } =
    EmergencyNotification;
  const getGroup = (id) => answer(getGroupOrderAsync(client, id));
  const group = { emergencyNotificationGroupOrder: { customerOrderId: "NPM GROUP" } };
  const grouped = await answer(createGroupOrderAsync(client, group));
  await made("emergencyNotificationGroup", "processingStatus", getGroup, grouped, "PROCESSING");
  const getEndpoint = (id) => answer(getEndpointOrderAsync(client, id));
  const endpoint = { emergencyNotificationEndpointOrder: { customerOrderId: "NPM ENDPOINT" } };
  const ended = await answer(createEndpointOrderAsync(client, endpoint));
  await made("emergencyEndpointGroup", "processingStatus", getEndpoint, ended, "PROCESSING");

  // Its answer is not read, and there is no get: what was placed is seen in the list.
  await answer(ImportToAccount.createAsync(client, { customerOrderId: "NPM OWN" }));
  const own = async () => (await answer(ImportToAccount.listAsync(client, { customerOrderId: "NPM OWN" })))
    .listOrderIdUserIdDate.orderIdUserIdDate;
  await becomes("importToAccounts", async () => (await own())?.orderStatus, "COMPLETE");
  placed[(await own()).orderId] = "importToAccounts";
}

// ---- Names

async function names() {
  const shown = heard.filter((text) => new RegExp(`\\b${sandbox.account}\\b|${sandbox.url}`).test(text));
  same("nowhere the upstream's account", shown, []);
  check("the tenant's account instead", heard.some((text) => text.includes(`>${account}<`)));
  check("there are locations", locations.length >= Object.keys(placed).length, locations.length);
  same("each of them is at the relay", locations.filter((location) => !location.startsWith(base)), []);
  same("no rejection is left unhandled", unhandled.map(String), []);
}

(async () => {
  let numbers = [];
  await part("orders", async () => (numbers = await numberOrders()));
  await part("portins", portIns);
  await part("other types", () => others(...numbers));
  await part("names", names);
  console.log(JSON.stringify({ placed }));
})();
