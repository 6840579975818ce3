// The sandbox's face: asks for /sandbox/state and /sandbox/bill once a second while somebody looks, and
// shows what they say.

import { showBill, showFaults, showLanes } from "./side.js";
import { showTasks } from "./tasks.js";
import { find, moment, number, visible, write } from "./words.js";

const EVERY = 1000; // milliseconds between an answer and the next question
const PATIENCE = 8000; // milliseconds without an answer until the sandbox counts as stopped
const ROWS = 100;

const base = `${location.origin}/api/v1`;
let before = null; // the number of the task above the first one shown; null: from the newest
let older = null;

const exportLines = (key) =>
  `export DASHSCOPE_HTTP_BASE_URL=${base}\nexport DASHSCOPE_API_KEY=${key ?? "'one of its keys'"}`;

const showCounts = (bill, lanes) => {
  const running = lanes.reduce((sum, lane) => sum + lane.running, 0);
  const ended = bill.succeeded + bill.failed + bill.canceled;
  const counts = {
    "": bill.tasks_created, PENDING: Math.max(bill.tasks_created - ended - running, 0), RUNNING: running,
    SUCCEEDED: bill.succeeded, FAILED: bill.failed, CANCELED: bill.canceled,
  };
  for (const input of find("filter").elements.status) {
    const shown = counts[input.value];
    write(input.nextElementSibling.lastElementChild, shown ? number.format(shown) : "");
  }
};

const showEmpty = (state, bill) => {
  find("empty").hidden = state.tasks.length > 0;
  document.body.dataset.tasks = bill.tasks_created ? "some" : "none";
  if (!bill.tasks_created) write(find("empty"), `No task yet. Point a client at ${base}.`);
  else write(find("empty"), older === null ? "No task is like that." : "No task is like that among the latest.");
};

const show = (state, bill) => {
  older = state.older;
  write(find("clock"), moment(state.clock));
  write(find("speed"), `×${number.format(state.speed)}`);
  write(find("export"), exportLines(state.key));
  write(find("accounts"), `The keys' accounts: ${visible(state.accounts.join(", "))}`);
  showTasks(state.tasks, bill.currency);
  showEmpty(state, bill);
  find("older").hidden = older === null;
  find("newest").hidden = before === null;
  showCounts(bill, state.lanes);
  showBill(bill);
  showLanes(state.lanes);
  showFaults(state.faults);
};

const ask = async (path) => {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE), cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
};

const connection = (name, words) => {
  document.body.dataset.connection = name;
  write(find("connection"), words);
};

const question = () => {
  const asked = new URLSearchParams({ limit: ROWS });
  for (const [name, value] of new FormData(find("filter"))) if (value) asked.set(name, value);
  if (before !== null) asked.set("before", before);
  return `/sandbox/state?${asked}`;
};

let timer = 0;
let round = 0; // an answer to an older question than the last is late, and nobody's

const answers = async () => {
  try {
    return await Promise.all([ask(question()), ask("/sandbox/bill")]);
  } catch {
    return null; // it has stopped, or its disk refuses: it may be back
  }
};

const poll = async () => {
  clearTimeout(timer);
  if (document.hidden) return;
  const mine = ++round;
  const answered = await answers();
  if (mine !== round) return;
  timer = setTimeout(poll, EVERY);
  if (answered) show(...answered);
  connection(...(answered ? ["live", "live"] : ["stopped", "stopped; trying again"]));
};

const turn = (to) => {
  before = to;
  poll();
  find("tasks").scrollIntoView();
};

find("filter").addEventListener("input", () => {
  before = null;
  poll();
});
find("filter").addEventListener("submit", (event) => event.preventDefault());
find("older").addEventListener("click", () => turn(older));
find("newest").addEventListener("click", () => turn(null));
find("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(find("export").textContent);
  write(find("copy"), "Copied");
  setTimeout(() => write(find("copy"), "Copy"), 1500);
});
document.addEventListener("visibilitychange", poll);
poll();
