/** Something that takes room. No bin holds two items that share a claim. */
export interface Item {
  readonly memory: number;
  readonly cpu: number;
  readonly claims: readonly string[];
  /** The names of the bins that may take it. @default - any */
  readonly bins?: readonly string[];
}

/** Room for items: what is free of its memory and CPU, and what it holds. */
export class Bin<T extends Item> {
  readonly items: T[] = [];
  private readonly claims = new Set<string>();

  constructor(
    readonly name: string,
    private memory: number,
    private cpu: number,
  ) {}

  get freeMemory(): number {
    return this.memory;
  }

  get freeCpu(): number {
    return this.cpu;
  }

  has(claim: string): boolean {
    return this.claims.has(claim);
  }

  takes(item: Item): boolean {
    if (item.bins && !item.bins.includes(this.name)) return false;
    return item.memory <= this.memory && item.cpu <= this.cpu && !item.claims.some((claim) => this.claims.has(claim));
  }

  put(item: T): void {
    this.items.push(item);
    this.memory -= item.memory;
    this.cpu -= item.cpu;
    for (const claim of item.claims) {
      this.claims.add(claim);
    }
  }

  /** Takes out the item that was put in last. */
  undo(): void {
    const item = this.items.pop();
    this.memory += item?.memory ?? 0;
    this.cpu += item?.cpu ?? 0;
    for (const claim of item?.claims ?? []) {
      this.claims.delete(claim);
    }
  }

  copy(): Bin<T> {
    const copy = new Bin<T>(this.name, this.memory, this.cpu);
    copy.items.push(...this.items);
    for (const claim of this.claims) {
      copy.claims.add(claim);
    }
    return copy;
  }
}

export type Packing<T extends Item> =
  | { readonly fits: true; readonly bins: readonly Bin<T>[] }
  | {
      readonly fits: false;
      /** False when an arrangement may exist that was not found. */
      readonly proven: boolean;
      readonly item: T;
      /** The bins as `item` found them. */
      readonly bins: readonly Bin<T>[];
      /** What more items claim than there are bins that could grant it. */
      readonly claim?: string;
    };

/** Up to so many items a failure of first-fit is followed by an exact search. */
export const EXACT_UP_TO = 12;

/** The items by the larger of their shares of all memory and of all CPU, largest first. */
export function decreasing<T extends Item>(items: readonly T[], bins: readonly Bin<T>[]): T[] {
  const memory = total(bins, "freeMemory") || 1;
  const cpu = total(bins, "freeCpu") || 1;
  const share = (item: T) => Math.max(item.memory / memory, item.cpu / cpu);
  return items.toSorted((a, b) => share(b) - share(a));
}

/**
 * Looks for a place for every item beside what the bins hold already; the bins given are left as they are.
 *
 * First-fit takes O(items × bins). Its success is a proof. When it fails, a bound may prove that nothing fits: an item
 * that no bin takes, a claim with more items than bins, a sum above all that is free. When none does, an exact search
 * decides up to {@link EXACT_UP_TO} items.
 *
 * @param items - largest first, see {@link decreasing}
 */
export function pack<T extends Item>(items: readonly T[], bins: readonly Bin<T>[]): Packing<T> {
  const filled = bins.map((bin) => bin.copy());
  const stuck = firstFit(items, filled);
  if (!stuck) {
    return { fits: true, bins: filled };
  }
  const misfit = items.find((item) => !bins.some((bin) => bin.takes(item)));
  if (misfit) {
    return { fits: false, proven: true, item: misfit, bins };
  }
  const contested = contestedClaim(items, bins);
  if (contested) {
    return { fits: false, proven: true, ...contested, bins };
  }
  if (exceeds(items, bins)) {
    return { fits: false, proven: true, item: stuck, bins: filled };
  }
  if (items.length > EXACT_UP_TO) {
    return { fits: false, proven: false, item: stuck, bins: filled };
  }
  const searched = bins.map((bin) => bin.copy());
  return search(items, searched)
    ? { fits: true, bins: searched }
    : { fits: false, proven: true, item: stuck, bins: filled };
}

/** Puts each item into the first bin that takes it; returns the first item that none takes. */
function firstFit<T extends Item>(items: readonly T[], bins: readonly Bin<T>[]): T | undefined {
  return items.find((item) => {
    const bin = bins.find((candidate) => candidate.takes(item));
    bin?.put(item);
    return !bin;
  });
}

/** A claim that more items make than there are bins without it. */
function contestedClaim<T extends Item>(
  items: readonly T[],
  bins: readonly Bin<T>[],
): { claim: string; item: T } | undefined {
  const claimants = new Map<string, T[]>();
  for (const item of items) {
    for (const claim of item.claims) {
      const others = claimants.get(claim);
      others ? others.push(item) : claimants.set(claim, [item]);
    }
  }
  for (const [claim, contenders] of claimants) {
    // A single claimant that no bin takes is a misfit, found before.
    const item = contenders.at(-1);
    if (item && contenders.length > 1 && contenders.length > bins.filter((bin) => !bin.has(claim)).length) {
      return { claim, item };
    }
  }
  return undefined;
}

function exceeds(items: readonly Item[], bins: readonly Bin<Item>[]): boolean {
  return total(items, "memory") > total(bins, "freeMemory") || total(items, "cpu") > total(bins, "freeCpu");
}

/**
 * Depth-first with backtracking: the item with the fewest bins first, bins in the same state tried once, states that
 * failed remembered. Exact.
 *
 * An item that as many bins take as there are items left is put in last, without a branch: the others can reach one bin
 * fewer. So with k items left no branch has more than k − 1 ways, however many bins there are.
 */
function search<T extends Item>(items: readonly T[], bins: readonly Bin<T>[], failed = new Set<string>()): boolean {
  const choices = items
    .map((item) => ({ item, bins: bins.filter((bin) => bin.takes(item)) }))
    .sort((a, b) => a.bins.length - b.bins.length);
  const tightest = choices[0];
  const loosest = choices.at(-1);
  if (!tightest || !loosest) {
    return true;
  }
  if (tightest.bins.length === 0) {
    return false;
  }
  if (loosest.bins.length >= items.length) {
    if (!search(without(items, loosest.item), bins, failed)) {
      return false;
    }
    loosest.bins.find((bin) => bin.takes(loosest.item))?.put(loosest.item);
    return true;
  }

  const open = bins.filter((bin) => items.some((item) => bin.takes(item)));
  const wanted = new Set(items.flatMap(({ claims }) => claims));
  // Bins in the same state are alike only where no item asks for one by its name.
  const asked = new Set(items.flatMap(({ bins }) => bins ?? []));
  const stateIn = (bin: Bin<T>) => (asked.size > 0 ? `${bin.name}/` : "") + stateOf(bin, wanted);
  const state = [open.map(stateIn).sort(), items.map(kindOf).sort()].join("|");
  if (exceeds(items, open) || failed.has(state)) {
    return false;
  }
  const rest = without(items, tightest.item);
  const tried = new Set<string>();
  for (const bin of tightest.bins) {
    const before = stateIn(bin);
    if (tried.has(before)) {
      continue;
    }
    tried.add(before);
    bin.put(tightest.item);
    if (search(rest, open, failed)) {
      return true;
    }
    bin.undo();
  }
  failed.add(state);
  return false;
}

/** What of a bin matters to items with these claims. */
function stateOf<T extends Item>(bin: Bin<T>, wanted: ReadonlySet<string>): string {
  return [bin.freeMemory, bin.freeCpu, ...[...wanted].filter((claim) => bin.has(claim))].join("/");
}

function kindOf({ memory, cpu, claims, bins = [] }: Item): string {
  return [memory, cpu, ...claims, ...bins].join("/");
}

function without<T>(items: readonly T[], gone: T): T[] {
  return items.filter((item) => item !== gone);
}

function total<K extends string>(things: readonly Readonly<Record<K, number>>[], of: K): number {
  return things.reduce((sum, thing) => sum + thing[of], 0);
}
