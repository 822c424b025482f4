// Makes every call that the npm package `@bandwidth/numbers` has for subscriptions and orders, as checks.cjs has it.
//
// The orders are at another upstream than that of the tenant: calls that change or cancel one are to be refused, and so
// are those for what no notification tells: files and the activation status of a port-in, orders that move numbers. A
// tenant that has no upstream is to be refused a new one. Only uploading and downloading files is left out: there the
// client hands out streams, and tells nobody of an error.
//
// `LsrOrder.create`, `Dlda.create`, `Lidbs.create`, `ImportToAccount.create`, and `addNote` of lsrorders and csrs, do
// not handle the rejection by their HTTP library: a refusal does not reach the callback, but the process.

const assert = require("node:assert");
const {
  Account, CsrOrder, Disconnect, Dlda, EmergencyNotification, ImportTnOrder, ImportToAccount, Lidbs, LsrOrder,
  Order, PortIn, PortOut, RemoveImportedTnOrder, Subscription, TnOption,
} = require("@bandwidth/numbers");

const {
  answer, at, check, client, given, history, isPast, left, nextUnhandled, notes, numbersOf, one, part, refused, same,
  unhandled,
} = require("./checks.cjs");

const { account, username, numbers, noOrder, orders } = given;
const { elsewhere, noUpstream } = given.refusals;
const NOWHERE = "nothing at this path";
// May place nothing.
const stranger = at("/api", given.stranger);
const url = given.endpoint + "npm";

// ---- Subscriptions

async function subscriptions() {
  const ids = async (query) => (await answer(Subscription.listAsync(client, query))).map((one) => one.id);
  const create = (orderType, more, callback) =>
    answer(Subscription.createAsync(client, { orderType, callbackSubscription: { URL: url, ...callback }, ...more }));

  const before = await ids({});
  same("a list for a type without subscriptions is empty", await ids({ orderType: "portins" }), []);
  const made = await create("portins", {}, { expiry: 3600 });
  check("create gives an id", /^[0-9a-f-]{36}$/.test(made.id), made.id);
  same("create gives the type", made.orderType, "portins");
  const { uRL, status, expiry, callbackCredentials } = made.callbackSubscription;
  same("create gives URL and status", [uRL, status], [url, "READY"]);
  check("create gives the seconds that are left", left(expiry, 3600), expiry);
  same("create without credentials has none", callbackCredentials, undefined);
  same("the list holds it", (await ids({})).sort(), [...before, made.id].sort());
  same("the list without a query", (await answer(Subscription.listAsync(client))).length, before.length + 1);
  same("the list by type", await ids({ orderType: "portins" }), [made.id]);
  same("the list by another type", await ids({ orderType: "csrs" }), []);
  const [listed] = await answer(Subscription.listAsync(client, { orderType: "portins" }));
  same("the list gives the URL", listed.callbackSubscription.uRL, url);
  await refused("a duplicate is refused", create("portins", {}, { expiry: 3600 }), 409, "16008");

  const basicAuthentication = { username: "hook", password: "s3cret" };
  const secret = await create("csrs", {}, { expiry: 3600, callbackCredentials: { basicAuthentication } });
  const shown = secret.callbackSubscription.callbackCredentials;
  same("create with credentials shows the username alone", shown, { basicAuthentication: { username: "hook" } });
  const changed = { orderType: "csrs", callbackSubscription: { URL: url + "/moved", expiry: 7200 } };
  await answer(secret.updateAsync(changed));
  const got = (await answer(Subscription.getAsync(client, secret.id))).callbackSubscription;
  same("update changes the URL", got.uRL, url + "/moved");
  check("update changes the expiry", left(got.expiry, 7200), got.expiry);
  same("update without credentials takes them away", got.callbackCredentials, undefined);

  const emailSubscription = { email: "ops@example.com", digestRequested: "NONE" };
  const mail = await answer(Subscription.createAsync(client, { orderType: "orders", emailSubscription }));
  same("a subscription by mail", mail.emailSubscription, emailSubscription);
  const callbackSubscription = { URL: url, expiry: 3600 };
  const event = await answer(Subscription.createAsync(client, { eventType: "MESSAGING_LOST", callbackSubscription }));
  same("a subscription to events", [event.eventType, event.orderType], ["MESSAGING_LOST", undefined]);
  const bound = await create("orders", { orderId: orders.waiting.id }, { expiry: 3600 });
  same("a subscription to one order", bound.orderId, orders.waiting.id);
  same("the list by order", await ids({ orderType: "orders", orderId: orders.waiting.id }), [bound.id]);
  const format = await create("lidbs", {}, { expiry: 3600, numberFormat: "E164" });
  same("a number format", format.callbackSubscription.numberFormat, "E164");
  // The client makes `Url` of it.
  const lower = await create("dldas", {}, { URL: undefined, url });
  same("a URL as the client spells other names", lower.callbackSubscription.uRL, url);

  await refused("an order that is not there is refused", create("orders", { orderId: noOrder }), 404, "16004");
  await refused("a type that is none is refused", create("ordersOfTheFuture"), 404, "14500");
  await refused("a URL that is none is refused", create("e911s", {}, { URL: "nowhere" }), 404, "14506");
  const blank = { basicAuthentication: { username: "hook", password: " " } };
  await refused("a blank password is refused", create("e911s", {}, { callbackCredentials: blank }), 404, "14505");
  const key = { publicKey: "no certificate" };
  await refused("a key that is none is refused", create("e911s", {}, { callbackCredentials: key }), 404, "14504");
  await refused("get of one that is not there is refused", Subscription.getAsync(client, noOrder), 404, "16000");

  for (const one of [made, secret, mail, event, bound, format, lower]) {
    await answer(one.deleteAsync());
    await refused("after delete it is gone", Subscription.getAsync(client, one.id), 404, "16000");
  }
  await refused("a second delete is refused", made.deleteAsync(), 404, "16000");
  await refused("an update of one that is gone is refused", secret.updateAsync(changed), 404, "16000");
  same("nothing of it is left", await ids({}), before);
}

async function bases() {
  for (const base of ["/api", "/api/v1", "/api/v2", "/v1.0", ""]) {
    const wanted = { orderType: "e911s", callbackSubscription: { URL: url, expiry: 3600 } };
    const made = await answer(Subscription.createAsync(at(base), wanted));
    same(`base '${base}': create and get`, made.callbackSubscription.uRL, url);
    await answer(made.deleteAsync());
    const { order } = await answer(Order.getAsync(at(base), orders.complete.id));
    same(`base '${base}': an order`, order.id, orders.complete.id);
    const wrong = Subscription.listAsync(at(base, { ...given, password: "no" }), {});
    await refused(`base '${base}': a wrong password is refused`, wrong, 401, "1001");
  }
}

// ---- Orders

async function numberOrders() {
  const rowsOf = (listed) => [listed.listOrderIdUserIdDate.orderIdUserIdDate || []].flat();
  const list = async (query) => answer(Order.listAsync(client, query));
  const listed = await list({ page: 1, size: 100 });
  same("orders: how many in all", listed.listOrderIdUserIdDate.totalCount, 3);
  const rows = rowsOf(listed);
  const expected = [orders.complete, orders.failed, orders.waiting].map((order) => [order.id, order.states.at(-1)]);
  same("orders: the list", rows.map((row) => [row.orderId, row.orderStatus]).sort(), expected.sort());
  const row = rows.find((row) => row.orderId === orders.complete.id);
  same("orders: a row", [row.accountId, row.countOfTNs, row.customerOrderId], [Number(account), 3, "CUST-42"]);
  check("orders: its dates", isPast(row.orderDate) && isPast(row.lastModifiedDate), JSON.stringify(row));
  const byState = rowsOf(await list({ status: "failed" }));
  same("orders: the list by state", byState.map((row) => row.orderId), [orders.failed.id]);
  same("orders: a list of nothing", rowsOf(await list({ status: "partial" })), []);
  await refused("orders: a size of nothing is refused", list({ size: 0 }), 400, "size");

  const got = await answer(Order.getAsync(client, orders.complete.id));
  same("orders: get", [got.order.id, got.orderStatus], [orders.complete.id, "COMPLETE"]);
  same("orders: its customer's name", got.order.customerOrderId, "CUST-42");
  same("orders: its numbers", got.completedNumbers.telephoneNumber.map((number) => number.fullNumber), numbers);
  same("orders: its quantities", [got.completedQuantity, got.failedQuantity, got.pendingQuantity], [3, 0, 0]);
  check("orders: its date", isPast(got.lastModifiedDate), got.lastModifiedDate);
  await numbersOf("orders", got.order, numbers);
  const totals = await answer(got.order.getTotalsAsync());
  same("orders: totals", totals.map((total) => total.count), [2, 1]);
  const [first, last] = await history("orders", got.order, orders.complete);
  same("orders: who", [first.author, last.note], ["bandwidth", orders.complete.events[1].Message]);
  await notes("orders", got.order);

  // The client takes some element names for errors, whatever the status of the answer.
  const failed = await answer(Order.getAsync(client, orders.failed.id));
  same("orders: get of a failed one", [failed.order.id, failed.orderStatus], [orders.failed.id, "FAILED"]);
  await history("orders: a failed one", failed.order, orders.failed);
  const waiting = await answer(Order.getAsync(client, orders.waiting.id));
  same("orders: get of a waiting one", waiting.orderStatus, "BACKORDERED");
  await refused("orders: get of one that is not there", Order.getAsync(client, noOrder), 404, "does not exist");
  const item = { name: "new", siteId: 1, zipSearchAndOrderType: { quantity: 1, zip: "27606" } };
  await refused("orders: placing one is refused", Order.createAsync(stranger, item), 403, noUpstream);
  await refused("orders: changing one is refused", waiting.order.updateAsync({ closeOrder: true }), 403, elsewhere);
}

// ---- Ports

async function ports() {
  const { portin, portout } = orders;
  const listed = await answer(PortIn.listAsync(client, { page: 1, size: 100 }));
  const row = listed.lnpPortInfoForGivenStatus;
  same("portins: the list", [listed.totalCount, row.orderId, row.processingStatus], [1, portin.id, "FOC"]);
  check("portins: its planned day", row.actualFOCDate instanceof Date, JSON.stringify(row));
  const got = await answer(PortIn.getAsync(client, portin.id));
  same("portins: get", [got.orderId, got.processingStatus], [portin.id, "FOC"]);
  same("portins: its numbers", got.listOfPhoneNumbers.phoneNumber, numbers.slice(0, 2));
  const entries = await history("portins", got, portin);
  same("portins: the notes within", entries.map((entry) => entry.note).filter(Boolean), told(portin));
  const before = await notes("portins", got);
  same("portins: the notes that are there", before.map((note) => note.description), told(portin));
  await numbersOf("portins", got, numbers.slice(0, 2));
  // Bandwidth answers `Quantity` with `Count`, in which the client finds nothing.
  same("portins: totals", (await answer(got.getTotalsAsync())).length, 1);
  await refused("portins: the activation status is not there", got.getActivationStatusAsync(), 403, elsewhere);
  await refused("portins: files are not there", got.getFilesAsync(true), 403, elsewhere);
  await refused("portins: a file's data is not there", got.getFileMetadataAsync("loa.pdf"), 403, elsewhere);
  const loa = { documentName: "loa", documentType: "LOA" };
  await refused("portins: nor is it taken", got.updateFileMetadataAsync("loa.pdf", loa), 403, elsewhere);
  await refused("portins: placing one is refused", PortIn.createAsync(stranger, { siteId: 1 }), 403, noUpstream);
  await refused("portins: changing one is refused", got.updateAsync({ partialPort: false }), 403, elsewhere);
  await refused("portins: cancelling one is refused", got.deleteAsync(), 403, elsewhere);

  const outs = await answer(PortOut.listAsync(client, { page: 1, size: 100 }));
  const out = outs.lnpPortInfoForGivenStatus;
  same("portouts: the list", [out.orderId, out.processingStatus], [portout.id, "COMPLETE"]);
  const gone = await answer(PortOut.getAsync(client, portout.id));
  same("portouts: get", [gone.orderId, gone.portOutStatus], [portout.id, "COMPLETE"]);
  await notes("portouts", one(PortOut, portout));
}

const told = (order) => order.events.map((event) => event.Note).filter(Boolean);

// ---- The other types

async function otherOrders() {
  const { disconnect, lsr, csr, dlda, lidb, tn_option: option } = orders;
  const { to_account: toAccount, removal, group, endpoint } = orders;
  const page = { page: 1, size: 100 };

  const away = (await answer(Disconnect.listAsync(client, page))).listOrderIdUserIdDate.orderIdUserIdDate;
  // The list is that one row.
  same("disconnects: the list", [away.orderId, away.orderStatus], [disconnect.id, "COMPLETE"]);
  const gone = await answer(Disconnect.getAsync(client, disconnect.id, { tndetail: true }));
  same("disconnects: get", [gone.orderRequest.id, gone.orderStatus], [disconnect.id, "COMPLETE"]);
  same("disconnects: its numbers", gone.disconnectedTelephoneNumberList.telephoneNumber, numbers.slice(0, 2));
  await notes("disconnects", one(Disconnect, disconnect));
  const leaving = Disconnect.createAsync(stranger, "away", [numbers[0]]);
  await refused("disconnects: placing one is refused", leaving, 403, noUpstream);

  const lsrs = await answer(LsrOrder.listAsync(client, page));
  same("lsrorders: the list", [lsrs.lsrOrderSummary.orderId, lsrs.lsrOrderSummary.orderStatus], [lsr.id, "FOC"]);
  const request = await answer(LsrOrder.getAsync(client, lsr.id));
  same("lsrorders: get", [request.orderId, request.orderStatus], [lsr.id, "FOC"]);
  await history("lsrorders", one(LsrOrder, lsr), lsr);
  await notes("lsrorders", one(LsrOrder, lsr));
  await refused("lsrorders: changing one is refused", one(LsrOrder, lsr).updateAsync({ sPID: "x" }), 403, elsewhere);
  const local = nextUnhandled(() => LsrOrder.createAsync(stranger, { pon: "1" }));
  await refused("lsrorders: placing one is refused", local, 403, noUpstream);

  const record = await answer(CsrOrder.getAsync(client, csr.id));
  same("csrs: get", [record.orderId, record.status], [csr.id, "ACTION_REQUIRED"]);
  await notes("csrs", one(CsrOrder, csr));
  const asked = { customerOrderId: "1" };
  await refused("csrs: placing one is refused", CsrOrder.createAsync(stranger, asked), 403, noUpstream);
  await refused("csrs: changing one is refused", one(CsrOrder, csr).updateAsync(asked), 403, elsewhere);

  const row = (listed) => listed.listOrderIdUserIdDate.orderIdUserIdDate;
  const listings = row(await answer(Dlda.listAsync(client, page)));
  same("dldas: the list", [listings.orderId, listings.orderStatus], [dlda.id, "COMPLETE"]);
  const listing = await answer(Dlda.getAsync(client, dlda.id));
  same("dldas: get", [listing.orderId, listing.processingStatus], [dlda.id, "COMPLETE"]);
  await history("dldas", one(Dlda, dlda), dlda);
  const listed = nextUnhandled(() => Dlda.createAsync(stranger, { customerOrderId: "1" }));
  await refused("dldas: placing one is refused", listed, 403, noUpstream);

  const names = row(await answer(Lidbs.listAsync(client, page)));
  same("lidbs: the list", [names.orderId, names.orderStatus], [lidb.id, "COMPLETE"]);
  const name = (await answer(Lidbs.getAsync(client, lidb.id))).lidbOrder;
  same("lidbs: get", [name.orderId, name.processingStatus], [lidb.id, "COMPLETE"]);
  const named = nextUnhandled(() => Lidbs.createAsync(stranger, { customerOrderId: "1" }));
  await refused("lidbs: placing one is refused", named, 403, noUpstream);

  const options = await answer(TnOption.listAsync(client, page));
  same("tnoptions: the list", options.map((one) => [one.orderId, one.orderStatus]), [[option.id, "COMPLETE"]]);
  const chosen = await answer(TnOption.getAsync(client, option.id));
  same("tnoptions: get", [chosen.orderId, chosen.processingStatus], [option.id, "COMPLETE"]);
  const groups = { tnOptionGroups: [{ telephoneNumbers: [numbers[0]] }] };
  await refused("tnoptions: placing one is refused", TnOption.createAsync(stranger, groups), 403, noUpstream);

  const imports = (await answer(ImportTnOrder.listAsync(client, page))).importTnOrderSummary;
  same("importtnorders: the list", [imports.orderId, imports.orderStatus], [orders.import.id, "COMPLETE"]);
  const imported = await answer(ImportTnOrder.getAsync(client, orders.import.id));
  same("importtnorders: get", [imported.orderId, imported.processingStatus], [orders.import.id, "COMPLETE"]);
  await history("importtnorders", imported, orders.import);
  await refused("importtnorders: files are not there", imported.getFilesAsync(true), 403, elsewhere);
  await refused("importtnorders: a file's data is not there", imported.getFileMetadataAsync("a"), 403, elsewhere);
  const placed = ImportTnOrder.createAsync(stranger, { siteId: 1 }, [numbers[0]]);
  await refused("importtnorders: placing one is refused", placed, 403, noUpstream);

  const removals = (await answer(RemoveImportedTnOrder.listAsync(client, page))).removeImportedTnOrderSummary;
  same("removeImportedTnOrders: the list", [removals.orderId, removals.orderStatus], [removal.id, "COMPLETE"]);
  const removed = await answer(RemoveImportedTnOrder.getAsync(client, removal.id, {}));
  same("removeImportedTnOrders: get", [removed.orderId, removed.processingStatus], [removal.id, "COMPLETE"]);
  await history("removeImportedTnOrders", one(RemoveImportedTnOrder, removal), removal);
  const removing = RemoveImportedTnOrder.createAsync(stranger, "new", [numbers[0]]);
  await refused("removeImportedTnOrders: placing one is refused", removing, 403, noUpstream);

  const own = row(await answer(ImportToAccount.listAsync(client, page)));
  same("importToAccounts: the list", [own.orderId, own.orderStatus], [toAccount.id, "COMPLETE"]);
  const taking = nextUnhandled(() => ImportToAccount.createAsync(stranger, { siteId: 1 }));
  await refused("importToAccounts: placing one is refused", taking, 403, noUpstream);

  const found = await answer(EmergencyNotification.listGroupOrdersAsync(client, page));
  const groupRow = found.emergencyNotificationGroupOrders.emergencyNotificationGroupOrder;
  same("emergency groups: the list", [groupRow.orderId, groupRow.processingStatus], [group.id, "COMPLETE"]);
  const groupOrder = await answer(EmergencyNotification.getGroupOrderAsync(client, group.id));
  same("emergency groups: get", [groupOrder.orderId, groupOrder.processingStatus], [group.id, "COMPLETE"]);
  const newGroup = { emergencyNotificationGroupOrder: { customerOrderId: "1" } };
  const grouping = EmergencyNotification.createGroupOrderAsync(stranger, newGroup);
  await refused("emergency groups: placing one is refused", grouping, 403, noUpstream);
  const ends = await answer(EmergencyNotification.listEnpointOrdersAsync(client, page));
  const endRow = ends.emergencyNotificationEndpointOrders.emergencyNotificationEndpointOrder;
  same("emergency endpoints: the list", [endRow.orderId, endRow.processingStatus], [endpoint.id, "COMPLETE"]);
  const end = await answer(EmergencyNotification.getEndpointOrderAsync(client, endpoint.id));
  same("emergency endpoints: get", [end.orderId, end.processingStatus], [endpoint.id, "COMPLETE"]);
  const newEnd = { emergencyNotificationEndpointOrder: { customerOrderId: "1" } };
  const ending = EmergencyNotification.createEndpointOrderAsync(stranger, newEnd);
  await refused("emergency endpoints: placing one is refused", ending, 403, noUpstream);

  // No notification tells of these.
  await refused("moveTns: the list is not there", Account.getMoveTnsOrdersAsync(client), 404, NOWHERE);
  await refused("moveTns: get is not there", Account.getMoveTnsOrderAsync(client, noOrder), 404, NOWHERE);
  const moved = Account.getMoveTnsOrderHistoryAsync(client, noOrder);
  await refused("moveTns: history is not there", moved, 404, NOWHERE);
}

(async () => {
  await part("subscriptions", subscriptions);
  await part("bases", bases);
  await part("orders", numberOrders);
  await part("ports", ports);
  await part("other orders", otherOrders);
  // The last unhandled one was asked for; any other would have ended the process.
  assert(unhandled.length <= 1);
})();
