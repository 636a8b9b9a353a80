const MARGIN = {top: 24, right: 10, bottom: 36, left: 46};
const NEAR = 18;
const CROWDED = 400;

/** A colour and a shape for each kind of file: never colour alone. */
const SHAPES = [
  (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (x, y, r) => `M${x - r} ${y - r}L${x + r} ${y - r}L${x} ${y + r}z`,
  (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (x, y, r) => `M${x} ${y - 1.3 * r}L${x + 1.3 * r} ${y}L${x} ${y + 1.3 * r}L${x - 1.3 * r} ${y}z`,
  (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (x, y, r) => `M${x} ${y - 1.2 * r}L${x + 1.2 * r} ${y + r}L${x - 1.2 * r} ${y + r}z`,
];

function shortNumber(value) {
  return Number(value.toPrecision(3)).toLocaleString("en", {maximumFractionDigits: 6});
}

function sizeTick(bytes) {
  if (bytes < 1e3) return `${shortNumber(bytes)} B`;
  if (bytes < 1e6) return `${shortNumber(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${shortNumber(bytes / 1e6)} MB` : `${shortNumber(bytes / 1e9)} GB`;
}

function millisecondsTick(ms) {
  return ms < 1e3 ? `${shortNumber(ms)} ms` : `${shortNumber(ms / 1e3)} s`;
}

function secondsTick(seconds) {
  if (seconds < 60) return `${shortNumber(seconds)} s`;
  return seconds < 3600 ? `${shortNumber(seconds / 60)} min` : `${shortNumber(seconds / 3600)} h`;
}

/** Round numbers of seconds, minutes and hours. */
function clockTicks(low, high) {
  const ticks = [0.01, 0.1, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 86400];
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/** A log axis from `low` to `high` (both above 0) onto pixels, with about `wanted` round ticks. */
function logScale(low, high, from, to, wanted, ticksBetween = decadeTicks) {
  const [a, b] = low === high ? [low / 2, high * 2] : [low / 1.15, high * 1.15];
  const place = (value) => from + ((Math.log(value) - Math.log(a)) / (Math.log(b) - Math.log(a))) * (to - from);
  return {place, ticks: thinned(ticksBetween(a, b, wanted), wanted)};
}

/** Powers of ten, with 3 or with 2 and 5 between them where there is room. */
function decadeTicks(low, high, wanted) {
  let ticks = [];
  for (const steps of [[1], [1, 3], [1, 2, 5]]) {
    const finer = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
      finer.push(...steps.map((step) => step * 10 ** power).filter((tick) => tick >= low && tick <= high));
    }
    if (finer.length > wanted) break;
    ticks = finer;
  }
  return ticks;
}

function linearScale(low, high, from, to, wanted) {
  const reach = (high - low || Math.abs(high) || 1) * 1.1;
  const step = [1, 2, 5, 10].map((it) => it * 10 ** Math.floor(Math.log10(reach / wanted))).find((it) => reach / it <= wanted);
  const a = Math.floor(low / step) * step;
  const b = Math.max(Math.ceil(high / step) * step, a + step);
  const ticks = Array.from({length: Math.round((b - a) / step) + 1}, (_, index) => a + index * step);
  return {place: (value) => from + ((value - a) / (b - a)) * (to - from), ticks};
}

function thinned(ticks, wanted) {
  const every = Math.ceil(ticks.length / wanted);
  return ticks.filter((_, index) => index % every === 0);
}

/** A figure's drawing area: an svg as large as it is shown, a note below, and what floats beside the pointer. */
class Plot {
  constructor(figure) {
    this.figure = figure;
    this.svg = drawn("svg", {tabindex: "0", role: "application", "aria-roledescription": "plot"});
    this.note = element("p", {class: "note"});
    this.tip = element("div", {class: "tip", role: "status", hidden: ""});
    figure.append(this.svg, this.note, this.tip);
    this.svg.setAttribute("aria-label", figure.querySelector("figcaption").textContent);
    this.svg.addEventListener("pointerleave", () => this.point(null));
    this.svg.addEventListener("blur", () => this.point(null));
  }

  begin() {
    this.width = this.svg.clientWidth || 400;
    this.height = this.svg.clientHeight || 270;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.replaceChildren();
    this.point(null);
  }

  get area() {
    const {width, height} = this;
    return {left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom};
  }

  axes(x, y, xWords, yWords, xTitle, yTitle) {
    const {left, right, top, bottom} = this.area;
    for (const tick of y.ticks) {
      const at = y.place(tick);
      this.svg.append(drawn("path", {class: "grid", d: `M${left} ${at}H${right}`}));
      this.svg.append(drawn("text", {x: left - 6, y: at + 4, "text-anchor": "end"}, yWords(tick)));
    }
    for (const tick of x.ticks) {
      const at = x.place(tick);
      this.svg.append(drawn("path", {class: "grid", d: `M${at} ${top}V${bottom}`}));
      this.svg.append(drawn("text", {x: at, y: bottom + 15, "text-anchor": at > right - 16 ? "end" : "middle"}, xWords(tick)));
    }
    this.svg.append(drawn("text", {x: (left + right) / 2, y: bottom + 31, "text-anchor": "middle"}, xTitle));
    this.svg.append(drawn("text", {x: 2, y: 11}, yTitle));
  }

  nothing(why) {
    this.svg.append(drawn("text", {x: this.width / 2, y: this.height / 2, "text-anchor": "middle"}, why));
  }

  /** Shows words beside a place in the drawing; `null` takes them away. */
  point(place) {
    this.tip.hidden = place === null;
    if (place === null) return;
    this.tip.textContent = place.words;
    const [outer, inner] = [this.figure.getBoundingClientRect(), this.svg.getBoundingClientRect()];
    const [x, y] = [inner.left - outer.left + place.x, inner.top - outer.top + place.y];
    const left = Math.min(Math.max(4, x - this.tip.offsetWidth / 2), this.figure.clientWidth - this.tip.offsetWidth - 4);
    const above = y - this.tip.offsetHeight - 12;
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${above > 0 ? above : y + 14}px`;
  }
}

/** One mark a file: x on a log axis, SQNR upwards. Pointer and arrow keys name marks; click and Enter go to the row. */
class Scatter extends Plot {
  constructor(figure, {title, tick, measure, choose}) {
    super(figure);
    Object.assign(this, {title, tick, measure, choose, marks: [], at: -1});
    this.svg.addEventListener("pointermove", (event) => this.show(this.nearest(event)));
    this.svg.addEventListener("click", (event) => this.go(this.nearest(event)));
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  draw(files) {
    this.begin();
    const marks = files.filter((it) => it[this.measure] > 0 && it.sqnr !== null);
    const left = files.length - marks.length;
    this.note.textContent = left ? `${counted(left, "file")} not drawn: identical, or not measured.` : "";
    this.marks = [];
    this.at = -1;
    if (!marks.length) return this.nothing("Nothing to draw");
    const {left: x0, right, top, bottom} = this.area;
    const xs = marks.map((it) => it[this.measure]), ys = marks.map((it) => it.sqnr);
    const least = (values) => values.reduce((a, b) => Math.min(a, b));
    const most = (values) => values.reduce((a, b) => Math.max(a, b));
    const x = logScale(least(xs), most(xs), x0, right, Math.max(3, Math.floor((right - x0) / 58)));
    const y = linearScale(least(ys), most(ys), bottom, top, 6);
    this.axes(x, y, this.tick, (value) => `${shortNumber(value)}`, this.title, "SQNR, dB");
    this.marks = marks.map((it) => ({file: it, x: x.place(it[this.measure]), y: y.place(it.sqnr)}));
    this.marks.sort((a, b) => a.x - b.x || a.y - b.y);
    this.fill();
  }

  fill() {
    const crowded = this.marks.length > CROWDED;
    const radius = crowded ? 2.6 : this.marks.length > 60 ? 3.4 : 4.4;
    const short = (value) => Math.round(value * 10) / 10;
    const paths = new Map();
    let rings = "";
    for (const {file, x, y} of this.marks) {
      const shape = SHAPES[file.slot](short(x), short(y), radius);
      paths.set(file.slot, (paths.get(file.slot) ?? "") + shape);
      if (file.mark) rings += SHAPES[2](short(x), short(y), radius + 2.5);
    }
    for (const [slot, d] of paths) {
      this.svg.append(drawn("path", {class: `marks slot-${slot}${crowded ? " crowded" : ""}`, d}));
    }
    this.svg.append(drawn("path", {class: "wrong", d: rings}));
    this.here = drawn("circle", {class: "here", r: radius + 4, visibility: "hidden"});
    this.svg.append(this.here);
  }

  nearest(event) {
    const box = this.svg.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let best = -1, reach = NEAR ** 2;
    this.marks.forEach((mark, index) => {
      const away = (mark.x - x) ** 2 + (mark.y - y) ** 2;
      if (away < reach) [best, reach] = [index, away];
    });
    return best;
  }

  key(event) {
    const step = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1}[event.key];
    if (step && this.marks.length) {
      event.preventDefault();
      this.show((this.at + step + this.marks.length) % this.marks.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.go(this.at);
    }
  }

  show(index) {
    this.at = index;
    const mark = this.marks[index];
    this.here?.setAttribute("visibility", mark ? "visible" : "hidden");
    if (!mark) return super.point(null);
    this.here.setAttribute("cx", mark.x);
    this.here.setAttribute("cy", mark.y);
    const {model, title, mark: wrong, words} = mark.file;
    const told = this.measure === "size" ? words[0] : words[3];
    super.point({...mark, words: `${model.id}\n${title}${wrong ? ` ${wrong}` : ""}: ${told}, ${words[1]}`});
  }

  point(place) {
    if (place === null) this.here?.setAttribute("visibility", "hidden");
    super.point(place);
  }

  go(index) {
    if (this.marks[index]) this.choose(this.marks[index].file.model);
  }
}

/** How many jobs took how long, on a log axis; jobs that are not as expected stand out at the foot. */
class Histogram extends Plot {
  constructor(figure) {
    super(figure);
    this.bars = [];
    this.svg.addEventListener("pointermove", (event) => this.show(event));
  }

  draw(models) {
    this.begin();
    this.bars = [];
    const ran = models.filter((model) => model.seconds > 0).sort((a, b) => a.seconds - b.seconds);
    this.note.textContent = "";
    if (!ran.length) return this.nothing("Nothing to draw");
    const [shortest, longest] = [ran[0], ran[ran.length - 1]];
    const middle = ran[Math.floor((ran.length - 1) / 2)];
    this.note.textContent = `Median ${middle.secondsWords}, longest ${longest.secondsWords} (${longest.id}).`;
    this.svg.setAttribute("aria-label", `How long the jobs took. ${this.note.textContent}`);
    this.columns(ran, binned(ran, shortest.seconds, longest.seconds));
  }

  columns(ran, bins) {
    const {left, right, top, bottom} = this.area;
    const most = Math.max(...bins.map((bin) => bin.models.length));
    const wanted = Math.max(3, Math.floor((right - left) / 58));
    const x = logScale(bins[0].from, bins[bins.length - 1].to, left, right, wanted, clockTicks);
    const y = linearScale(0, most, bottom, top, Math.min(most, 5));
    this.axes(x, y, secondsTick, shortNumber, "job time", "jobs");
    for (const bin of bins) {
      const [from, to] = [x.place(bin.from) + 0.5, x.place(bin.to) - 0.5];
      const bad = bin.models.filter((model) => !model.acceptable).length;
      const [whole, foot] = [y.place(bin.models.length), y.place(bad)];
      const d = (high, low) => `M${from} ${low}V${high}H${to}V${low}z`;
      this.svg.append(drawn("path", {class: "good", d: d(whole, foot)}), drawn("path", {class: "bad", d: d(foot, bottom)}));
      const wrong = bad ? `, ${bad} not as expected` : "";
      const words = `${counted(bin.models.length, "job")} of ${secondsTick(bin.from)} to ${secondsTick(bin.to)}${wrong}`;
      if (bin.models.length) this.bars.push({from, to, x: (from + to) / 2, y: whole, words});
    }
  }

  show(event) {
    const x = event.clientX - this.svg.getBoundingClientRect().left;
    this.point(this.bars.find((bar) => bar.from <= x && x <= bar.to) ?? null);
  }
}

/** Models sorted by seconds, in bins of equal width on a log axis. */
function binned(models, shortest, longest) {
  const number = Math.min(24, Math.max(4, Math.ceil(2 * Math.sqrt(models.length))));
  const ratio = Math.max(longest / shortest, 1.5) ** (1 / number);
  const bins = Array.from({length: number}, (_, index) => ({from: shortest * ratio ** index, to: shortest * ratio ** (index + 1), models: []}));
  for (const model of models) {
    const index = Math.floor(Math.log(model.seconds / shortest) / Math.log(ratio));
    bins[Math.min(Math.max(index, 0), number - 1)].models.push(model);
  }
  return bins;
}
