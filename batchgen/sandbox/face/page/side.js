// The tables at the side: the bill, the lanes and the faults that fired.

import { clockTime, count, find, inARow, make, moment, money, number, showTable, units, visible, write } from "./words.js";

const cell = (text, properties = {}) => make("td", { textContent: text, ...properties });

const table = (heads, lines) =>
  make("table", {},
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col", textContent: head })))),
    make("tbody", {}, ...lines));

const nothing = (text) => make("p", { className: "empty", textContent: text });

export const showBill = (bill) => {
  write(find("billed"), money(bill.amount, bill.currency));
  showTable(find("bill-rows"), [bill], () => [billTable(bill)]);
  write(find("twice-title"), `${count(bill.equal_requests, "task")} made again with a request that was made before`);
  showTable(find("twice-rows"), bill.equal, (group) => [
    make("p", {}, `${group.tasks.length} times, ${visible(group.model)}, ${visible(group.account)}:`),
    make("ul", {}, ...group.tasks.map((id) => make("li", {}, make("code", { textContent: id })))),
  ]);
  find("twice").hidden = !bill.equal_requests;
};

const amounts = (row) =>
  [row.seconds && `${number.format(row.seconds)}\u00a0s`, row.images && count(row.images, "image")].filter(Boolean).join(", ");

const billLine = (name, row, className = "") =>
  make("tr", { className },
    make("th", { scope: "row" }, visible(name)),
    cell(number.format(row.tasks)),
    cell(amounts(row)),
    cell(units(row.amount)));

const sum = (lines) =>
  lines.reduce((total, line) => ({
    tasks: total.tasks + line.tasks,
    seconds: total.seconds + line.seconds,
    images: total.images + line.images,
    amount: total.amount + line.amount,
  }));

const billTable = (bill) => {
  const accounts = [...new Set(bill.models.map((line) => line.account))];
  const lines = accounts.flatMap((account) => {
    const own = bill.models.filter((line) => line.account === account);
    const models = own.map((line) => billLine(line.model, line, accounts.length > 1 ? "part" : ""));
    return accounts.length > 1 ? [billLine(account, sum(own)), ...models] : models;
  });
  const total = { tasks: bill.tasks_created, seconds: bill.video_seconds, images: bill.images, amount: bill.amount };
  return table([accounts.length > 1 ? "Account and model" : "Model", "Tasks", "Billed", bill.currency],
    [...lines, billLine("Total", total, "total")]);
};

export const showLanes = (lanes) => {
  showTable(find("lane-rows"), [lanes], () => [lanes.length ? laneTable(lanes) : nothing("Nothing runs or waits.")]);
};

const laneTable = (lanes) =>
  table(["Model", "Running", "Waiting"], lanes.map((lane) =>
    make("tr", {},
      make("th", { scope: "row" }, visible(lane.model), make("span", { className: "quiet", textContent: visible(lane.account) })),
      cell(`${lane.running} of ${lane.slots}`, { className: lane.running >= lane.slots ? "full" : "" }),
      cell(`${lane.waiting} of ${lane.queue}`, { className: lane.waiting >= lane.queue ? "full" : "" }))));

export const showFaults = ({ total, fired }) => {
  showTable(find("fault-rows"), [{ total, fired }], () => {
    if (!total) return [nothing("None so far.")];
    const lines = fired.map((fault) =>
      make("li", {},
        make("time", { textContent: clockTime(fault.time), title: moment(fault.time) }),
        make("span", {}, visible(fault.what)),
        make("span", { className: "quiet", textContent: inARow([fault.rule, fault.point, fault.model]) })));
    const earlier = total - fired.length;
    return [make("ol", {}, ...lines), ...(earlier ? [nothing(`and ${number.format(earlier)} earlier`)] : [])];
  });
};
