// Words and elements: what the page's other files write with.
//
// What others wrote becomes text nodes, never markup: the policy this page is served with forbids every
// way from a string to an element. Characters that would be invisible or turn the text round are shown
// by their numbers.

export const find = (id) => document.getElementById(id);

export const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

export const write = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

// The joiners U+200C and U+200D belong to ordinary words and emoji.
const ODD = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

export const visible = (text) =>
  text.replace(ODD, (character) => {
    if (character === "\n") return "↵\n";
    return `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });

export const inARow = (texts) => texts.filter(Boolean).map(visible).join("\u00a0· ");

export const STATUS = {
  PENDING: "Pending", RUNNING: "Running", SUCCEEDED: "Succeeded", FAILED: "Failed", CANCELED: "Canceled",
};

export const number = new Intl.NumberFormat("en");
const dayAndTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const timeOnly = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

export const clockTime = (seconds) => timeOnly.format(seconds * 1000);
export const moment = (seconds) => dayAndTime.format(seconds * 1000);

export const span = (seconds) => {
  if (seconds < 99.5) return `${Number(seconds.toFixed(seconds < 9.95 ? 1 : 0))}\u00a0s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes}\u00a0min` : `${Math.floor(minutes / 60)}\u00a0h ${minutes % 60}\u00a0min`;
};

export const count = (amount, word) => `${number.format(amount)} ${word}${amount === 1 ? "" : "s"}`;

export const units = (micros) => (micros / 1e6).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
export const money = (micros, currency) => `${currency} ${units(micros)}`;

const tables = new WeakMap();

// Replaces the children of an element by those made of the rows, where the rows have changed.
export const showTable = (element, data, cells) => {
  const key = JSON.stringify(data);
  if (tables.get(element) === key) return;
  tables.set(element, key);
  element.replaceChildren(...data.flatMap(cells));
};
