// The list of tasks, and one of them large.
//
// Rules.
// 1. Opening the page fetches no clip and only the pictures that are in sight: a result is rendered when
//    somebody asks for it.
// 2. An element lives as long as what it shows. Rows are changed in place, so that nothing jumps under a
//    pointer, loses the focus or stops playing.

import { STATUS, clockTime, count, find, inARow, make, moment, money, showTable, span, visible, write } from "./words.js";

const geometry = ({ order }) => (order?.width ? `${order.width}×${order.height}` : "");

const length = ({ order }) => {
  if (!order?.seconds) return order?.images > 1 ? `${order.images} images` : "";
  return `${span(order.seconds)}${order.sound ? "" : ", silent"}`;
};

const inputInWords = ({ role, name, source }) => `${role}${name && ` (${name})`}: ${source}`;

const failure = (task) => visible([task.code, task.message].filter(Boolean).join(": "));

const course = (task) => `${task.ended ? "after" : "for"} ${span(task.lasted)}`;

const isPicture = (url) => new URL(url).pathname.endsWith(".png");

class Row {
  constructor() {
    this.dot = make("span", { className: "status" });
    this.progress = make("progress", { max: 1 });
    this.prompt = make("button", { type: "button", className: "prompt", dir: "auto" });
    this.facts = make("p", { className: "quiet" });
    this.error = make("p", { className: "error" });
    this.time = make("time");
    this.course = make("span", { className: "quiet" });
    this.result = make("div", { className: "result" });
    this.element = make("li", {},
      make("div", { className: "state" }, this.dot, this.progress),
      make("div", { className: "words" }, this.prompt, this.facts, this.error),
      make("div", { className: "times" }, this.time, this.course),
      this.result);
    this.prompt.addEventListener("click", () => look.open(this.task));
    this.shown = "";
  }

  show(task) {
    this.task = task;
    this.element.dataset.status = task.status;
    write(this.dot, STATUS[task.status]);
    this.progress.hidden = task.progress === null;
    this.progress.value = task.progress ?? 0;
    write(this.prompt, visible(task.prompt) || "(no prompt)");
    const kind = task.synchronous && "synchronous";
    const facts = [task.order?.label, task.model, task.account, kind, geometry(task), length(task)];
    write(this.facts, inARow(facts));
    write(this.error, failure(task));
    write(this.time, clockTime(task.created));
    this.time.title = moment(task.created);
    write(this.course, course(task));
    this.showResult(task);
  }

  showResult(task) {
    const key = task.results.join() + task.gone;
    if (key === this.shown) return;
    this.shown = key;
    this.result.replaceChildren(...(task.results.length ? [this.thumbnail(task)] : []));
    if (task.gone) this.result.append(make("span", { className: "quiet", textContent: "gone after 24 h" }));
  }

  thumbnail(task) {
    const [url, ...others] = task.results;
    const button = make("button", { type: "button", className: "thumbnail" });
    button.style.aspectRatio = `${task.order.width} / ${task.order.height}`;
    if (isPicture(url)) {
      const image = make("img", { loading: "lazy", decoding: "async", alt: "Picture" });
      image.src = url;
      button.append(image);
      if (others.length) button.append(make("span", { className: "more", textContent: `+${others.length}` }));
    } else {
      button.append(make("span", { className: "play", textContent: "▶", ariaHidden: "true" }));
      button.append(make("span", { className: "more", textContent: span(task.order.seconds) }));
      button.ariaLabel = "Play the clip";
    }
    button.addEventListener("click", () => look.open(this.task));
    return button;
  }
}

const rows = new Map();

export const showTasks = (tasks, currency) => {
  const list = find("list");
  const kept = new Set(tasks.map((task) => task.number));
  for (const [key, row] of rows) {
    if (kept.has(key)) continue;
    row.element.remove();
    rows.delete(key);
  }
  let place = list.firstChild;
  for (const task of tasks) {
    if (!rows.has(task.number)) rows.set(task.number, new Row());
    const { element } = rows.get(task.number);
    if (element === place) place = place.nextSibling;
    else list.insertBefore(element, place);
    rows.get(task.number).show(task);
  }
  look.refresh(tasks, currency);
};

// One task, large: its results to play, and all that is known of it.
const look = {
  task: null,
  results: "",
  currency: "",

  open(task) {
    this.task = null;
    this.results = "";
    find("look-results").replaceChildren();
    this.show(task);
    find("look").showModal();
  },

  refresh(tasks, currency) {
    this.currency = currency;
    const task = this.task && tasks.find((other) => other.id === this.task.id);
    if (task && find("look").open) this.show(task);
  },

  show(task) {
    this.task = task;
    write(find("look-title"), `${STATUS[task.status]} · ${visible(task.model)}`);
    find("look").dataset.status = task.status;
    write(find("look-prompt"), visible(task.prompt) || "(no prompt)");
    write(find("look-error"), failure(task));
    const facts = Object.entries(this.facts(task)).filter(([, value]) => value);
    showTable(find("look-facts"), facts, ([name, value]) => [
      make("dt", { textContent: name }), make("dd", { textContent: value.split("\n").map(visible).join("\n") }),
    ]);
    this.showResults(task);
  },

  facts(task) {
    const { order } = task;
    return {
      Job: order?.label,
      Task: task.id,
      Account: task.account,
      Frame: geometry(task),
      Length: length(task),
      Seed: order && String(order.seed),
      Inputs: order?.inputs.map(inputInWords).join("\n"),
      Missing: order?.failed.map(([place, code, words]) => `picture ${place}: ${code}: ${words}`).join("\n"),
      Created: moment(task.created),
      Started: task.scheduled && `${moment(task.scheduled)}, after ${span(task.scheduled - task.created)}`,
      Ended: task.ended && `${moment(task.ended)}, ${course(task)}`,
      Cost: task.status === "SUCCEEDED" && money(order.cost, this.currency),
      Results: task.gone && "gone, 24 hours after the task ended",
    };
  },

  showResults(task) {
    const key = task.results.join();
    if (key === this.results) return;
    this.results = key;
    find("look-results").replaceChildren(...task.results.map((url) => this.result(url)));
  },

  result(url) {
    const element = isPicture(url)
      ? make("img", { alt: "Picture" })
      : make("video", { controls: true, autoplay: true, loop: true, playsInline: true });
    const figure = make("figure", {}, element);
    element.addEventListener("error", () => {
      figure.replaceChildren(make("p", { className: "error", textContent: "This result could not be fetched." }));
    });
    element.src = url;
    return figure;
  },
};

find("look").addEventListener("close", () => {
  look.task = null;
  find("look-results").replaceChildren(); // and the clip is silent
});
