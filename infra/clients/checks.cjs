// What the programs that ask by `@bandwidth/numbers` have in common. What to call stands on stdin. One line of JSON for
// each check: its name, whether it holds, and what was there instead.

const { isDeepStrictEqual } = require("node:util");
const { Client } = require("@bandwidth/numbers");

const CALL_MILLISECONDS_MAX = 10_000;

const given = JSON.parse(require("node:fs").readFileSync(0));
const client = at("/api");

function at(base, { account, username, password } = given) {
  return new Client(account, username, password, undefined, undefined, { apiEndPoint: given.url + base });
}

// ---- Checks

function check(name, holds, otherwise) {
  console.log(JSON.stringify([name, Boolean(holds), holds ? "" : String(otherwise)]));
}

function same(name, is, expected) {
  check(name, isDeepStrictEqual(is, expected), `${JSON.stringify(is)} instead of ${JSON.stringify(expected)}`);
}

// A callback that is never called must not keep the run waiting.
async function answer(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer")), CALL_MILLISECONDS_MAX);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

const unhandled = [];
process.on("unhandledRejection", (error) => unhandled.push(error));

// The rejection of a call that does not handle it.
async function nextUnhandled(call) {
  unhandled.length = 0;
  call().catch(() => {});
  const end = Date.now() + CALL_MILLISECONDS_MAX;
  while (unhandled.length === 0 && Date.now() < end) await pause();
  throw unhandled[0] || new Error("no answer");
}

async function refused(name, promise, status, text) {
  try {
    await answer(promise);
    check(name, false, "not refused");
  } catch (error) {
    const body = error.response ? error.response.text : "";
    check(name, error.status === status && body.includes(text), `${error.status}: ${body || error.stack}`);
  }
}

const left = (seconds, most) => most - given.elapsedMax <= seconds && seconds <= most;
const isPast = (date) => date instanceof Date && date <= Date.now();

// Without this, one call that throws would leave out all that come after it.
async function part(name, work) {
  try {
    await work();
  } catch (error) {
    check(`${name} comes to its end`, false, error.stack);
  }
}

// ---- What several types of orders have in common

// An object whose methods are to be called: what `get` gives has its id under another name, or no methods.
function one(type, order) {
  return Object.assign(new type(), { id: order.id, client });
}

async function history(name, it, order) {
  const entries = await answer(it.getHistoryAsync());
  const states = entries.map((entry) => entry.status).filter((status) => status !== undefined);
  same(`${name}: history`, states, order.states);
  check(`${name}: its dates`, entries.every((entry) => isPast(entry.orderDate)), JSON.stringify(entries));
  return entries;
}

async function notes(name, it) {
  const listed = async () => (await answer(it.getNotesAsync())).filter((note) => note !== undefined);
  const { username } = given;
  const before = await listed();
  const text = `Grüße <&> "${name}"`;
  const made = await answer(it.addNoteAsync({ userId: username, description: text }));
  same(`${name}: adding a note`, [made.userId, made.description], [username, text]);
  check(`${name}: its id and date`, Number.isInteger(made.id) && isPast(made.lastDateModifier), JSON.stringify(made));
  const after = await listed();
  same(`${name}: the notes`, after.map((note) => note.id), [...before.map((note) => note.id), made.id]);
  return before;
}

async function numbersOf(name, it, all) {
  const tns = await answer(it.getTnsAsync());
  same(`${name}: tns`, [tns.count, tns.telephoneNumber], [all.length, all]);
  const counted = (digits) => {
    const counts = {};
    for (const number of all) counts[number.slice(0, digits)] = (counts[number.slice(0, digits)] || 0) + 1;
    return Object.entries(counts).sort().map(([part, count]) => [Number(part), count]);
  };
  const codes = await answer(it.getAreaCodesAsync());
  same(`${name}: area codes`, codes.map((code) => [code.areaCode, code.count]), counted(3));
  const exchanges = await answer(it.getNpaNxxAsync());
  same(`${name}: NPA-NXX`, exchanges.map((exchange) => [exchange["nPA-NXX"], exchange.count]), counted(6));
}

module.exports = {
  answer, at, check, client, given, history, isPast, left, nextUnhandled, notes, numbersOf, one, part, pause, refused,
  same, unhandled,
};
