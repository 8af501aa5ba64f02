import type { Construct } from "constructs";
import type { Job, Template } from "../../.gen/nomad/job";
import { Duration } from "../../nomad/duration";
import { Memory } from "../../nomad/memory";
import { file } from "../../nomad/template";
import type { BackupSet } from "../backup/set";
import {
  hardenedTask,
  nomadService,
  resources,
  type ServiceProps,
  serviceGroup,
  serviceJob,
  tcpCheck,
} from "../job-parts";
import { Service } from "../service";
import type { IVolume } from "../storage/volume";
import {
  bitcoinConf,
  CHAIN_PORTS,
  type Chain,
  checkExtraConfig,
  type ExtraConfig,
  INDEXER_PORT,
  type RpcAccount,
  rpcHashKey,
} from "./conf";
import type { RpcMethod, RpcUser } from "./rpc";

export interface BitcoinNodeProps extends ServiceProps {
  /** The volume of the data directory: blocks, chainstate, indexes. Owned by 3001:3001. */
  readonly data: IVolume;
  /** @default "main" */
  readonly chain?: Chain;
  /**
   * Turn it on for the first sync, and off again when that is done: the database cache gets 3072 MiB (prop `dbcache`),
   * the reservation 6144 MiB, the ceiling 7168 MiB. Copying an existing chain is faster still.
   *
   * @default false
   */
  readonly initialSync?: boolean;
  /** Index of all transactions. Not together with `prune`. @default true, false with `prune` */
  readonly txindex?: boolean;
  /** Keep this much of the blocks, at least 550 MiB. electrs needs them all. @default - all blocks are kept */
  readonly prune?: Memory;
  /**
   * Size of the database cache. Always pinned: bitcoind would size it by the machine's memory, not by the container's.
   *
   * @default 1024 MiB; 3072 MiB with `initialSync`
   */
  readonly dbcache?: Memory;
  /** Port of RPC on the machine. @default that of the chain, 8332 on main */
  readonly rpcPort?: number;
  /** Port of P2P on the machine. @default that of the chain, 8333 on main */
  readonly p2pPort?: number;
  /** More options of `bitcoin.conf`, such as `{ maxmempool: 300 }`. @default - none */
  readonly extraConfig?: ExtraConfig;
  /** Nomad's name of the job, and what its services' names begin with. Changing it is another job. @default "bitcoin" */
  readonly jobId?: string;
}

const GROUP = "bitcoin";
const TASK = "bitcoind";
const PRUNE_MINIMUM = Memory.mebibytes(550);

/** What bitcoind takes beside its database cache: a peak of 3620 MiB was measured with a cache of 1024 MiB. */
const NON_CACHE_MEMORY = Memory.mebibytes(2560);

/** A clean stop flushes the database cache; on a Raspberry Pi with its data on NFS that takes minutes. */
const KILL = Duration.minutes(15);
const DEADLINES = { healthy: Duration.minutes(10), progress: Duration.minutes(30) };

/**
 * Bitcoin Core. Defaults: 2500 MHz, 4096 MiB reserved, 6144 MiB at most.
 *
 * `bitcoin.conf` is rendered on the machine from the consumers that were declared with {@link rpcUser}; each has its own
 * password and may call the methods it named. Healthy is when the port for indexers opens, which is when the node has
 * loaded its chain; RPC opens long before and answers "warming up". No check ever restarts it.
 *
 * It has no wallet (`disablewallet=1`): nothing backs this volume up. It does not look for its own address
 * (`discover=0`), which in a container is none that peers can reach; `extraConfig: { externalip: "…" }` advertises one.
 *
 * @see https://github.com/bitcoin/bitcoin/blob/master/doc/init.md
 */
export class BitcoinNode extends Service {
  /** The escape hatch: it may be changed until synthesis. */
  readonly job: Job;
  readonly jobId: string;
  readonly chain: Chain;
  readonly pruned: boolean;
  /** Whether it relays no transactions, by its extra configuration; electrs then serves none that are unconfirmed. */
  readonly blocksOnly: boolean;
  /** Names of its services in Nomad. */
  readonly rpcService: string;
  readonly p2pService: string;
  readonly indexerService: string;

  private readonly users: RpcAccount[] = [];
  private readonly conf: Template;
  /** What `conf` held when it was rendered last. */
  private rendered: string;
  private rest = false;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: BitcoinNodeProps,
  ) {
    super(scope, id, props);
    this.checkProps();
    this.jobId = this.checkJobId(props.jobId ?? "bitcoin");
    this.checkData(props.data, "chain");
    this.chain = props.chain ?? "main";
    this.pruned = props.prune !== undefined;
    this.blocksOnly = Number(props.extraConfig?.blocksonly ?? 0) !== 0;
    this.rpcService = `${this.jobId}-rpc`;
    this.p2pService = `${this.jobId}-p2p`;
    this.indexerService = `${this.jobId}-indexer`;
    this.rendered = this.renderConf();
    this.conf = file("secrets/bitcoin.conf", this.rendered);
    this.job = this.render();
    this.addJob(this.job, props.data.dependables, { program: "Bitcoin Core" });
  }

  /** Nothing: there is no wallet, and blocks, chainstate and indexes come back by themselves. */
  get backupSet(): BackupSet {
    return { service: this.jobId, nothing: "it has no wallet, and the chain is downloaded again" };
  }

  /**
   * Declares a consumer of RPC: its own password, and these methods alone. The hash is read from the key
   * `rpcauth_<name>` of bitcoind's Nomad variable; the consumer keeps the password in its own.
   *
   * @param name letters, digits and dashes, unique at this node.
   * @throws when the name is taken or malformed, or no method is named.
   */
  rpcUser(name: string, methods: readonly RpcMethod[]): RpcUser {
    const { path } = this.node;
    if (!/^[a-z][a-z0-9-]*$/.test(name)) {
      throw new Error(
        `${path}: rpcUser("${name}", …): a name is lower-case letters, digits and dashes, a letter first`,
      );
    }
    if (this.users.some((user) => rpcHashKey(user.name) === rpcHashKey(name))) {
      throw new Error(`${path}: rpcUser("${name}", …) is declared twice; give each consumer a name of its own`);
    }
    if (methods.length === 0) {
      throw new Error(`${path}: rpcUser("${name}", []) may call nothing; name the methods it calls`);
    }
    const user = { name, methods: [...new Set(methods)] };
    const hash = this.secret({ job: this.jobId, group: GROUP, task: TASK }, rpcHashKey(name), {
      source: "rpc-hash",
      rpcUser: name,
      description: `salt$hash of the RPC password of ${name}`,
    });
    this.users.push({ ...user, hash });
    this.updateConf(`rpcUser("${name}", …)`);
    return user;
  }

  /** Opens the REST interface, which knows no password: `rpcallowip` is its only wall. For electrs from 0.12. */
  enableRest(): void {
    this.rest = true;
    this.updateConf("enableRest()");
  }

  /** Renders bitcoin.conf anew. @throws when the owner has edited it through `job`, since the edit would be lost. */
  private updateConf(call: string): void {
    const templates = this.job.TaskGroups.flatMap(({ Tasks }) => Tasks).flatMap(({ Templates }) => Templates ?? []);
    if (!templates.includes(this.conf) || this.conf.EmbeddedTmpl !== this.rendered) {
      throw new Error(
        `${this.node.path}: ${call} comes after bitcoin.conf was edited through \`job\`, and would undo the edit or miss ` +
          "the file; edit it when all consumers, such as Electrs, have been created",
      );
    }
    this.rendered = this.renderConf();
    this.conf.EmbeddedTmpl = this.rendered;
  }

  private checkProps(): void {
    const { path } = this.node;
    const { prune, txindex, extraConfig } = this.props;
    if (prune && txindex) {
      throw new Error(
        `${path}: txindex = true with prune = ${prune}: the index needs every block; leave one of them out`,
      );
    }
    if (prune?.isLessThan(PRUNE_MINIMUM)) {
      throw new Error(`${path}: prune = ${prune} must be at least ${PRUNE_MINIMUM}, or bitcoind refuses to start`);
    }
    const { dbcache, memoryMax } = this.sizes();
    if (dbcache.plus(NON_CACHE_MEMORY).isMoreThan(memoryMax)) {
      throw new Error(
        `${path}: dbcache = ${dbcache} leaves less than ${NON_CACHE_MEMORY} below memoryMax = ${memoryMax}: bitcoind would be ` +
          "killed for its memory and replay blocks; lower dbcache, or raise memoryMax",
      );
    }
    checkExtraConfig(`${path}: extraConfig`, extraConfig ?? {});
  }

  /** Cache and memory, which belong together. */
  private sizes(): { readonly dbcache: Memory; readonly memory: Memory; readonly memoryMax: Memory } {
    const { initialSync, dbcache, memory, memoryMax } = this.props;
    return {
      dbcache: dbcache ?? Memory.mebibytes(initialSync ? 3072 : 1024),
      memory: memory ?? Memory.mebibytes(initialSync ? 6144 : 4096),
      memoryMax: memoryMax ?? Memory.mebibytes(initialSync ? 7168 : 6144),
    };
  }

  private renderConf(): string {
    const { props } = this;
    const { cluster } = this.stack;
    const addresses = cluster.clients.map(({ lanAddress }) => lanAddress);
    const known = addresses.every((address) => address !== undefined);
    return bitcoinConf({
      chain: this.chain,
      txindex: props.txindex ?? !this.pruned,
      prune: props.prune?.toMebibytes() ?? 0,
      dbcache: this.sizes().dbcache.toMebibytes(),
      rest: this.rest,
      users: this.users,
      rpcAllow: [...(known ? (addresses as string[]) : [cluster.lan]), cluster.bridgeSubnet],
      extra: props.extraConfig ?? {},
    });
  }

  private render(): Job {
    const { props } = this;
    const ports = CHAIN_PORTS[this.chain];
    const group = serviceGroup({
      name: GROUP,
      ports: {
        fixed: [
          { Label: "rpc", Value: props.rpcPort ?? ports.rpc, To: ports.rpc },
          { Label: "p2p", Value: props.p2pPort ?? ports.p2p, To: ports.p2p },
        ],
        dynamic: [{ Label: "indexer", To: INDEXER_PORT }],
      },
      services: [
        nomadService(this.rpcService, "rpc", tcpCheck),
        nomadService(this.p2pService, "p2p", tcpCheck),
        nomadService(this.indexerService, "indexer", tcpCheck),
      ],
      volumes: { data: props.data },
      deadlines: DEADLINES,
      tasks: [
        {
          ...hardenedTask({
            name: TASK,
            image: props.image,
            forcePull: props.forcePull,
            config: {
              // The image's own script wants to be root.
              entrypoint: ["bitcoind"],
              args: ["-datadir=/data", "-conf=/secrets/bitcoin.conf"],
            },
            resources: resources(props, { cpu: 2500, ...this.sizes() }),
            killTimeout: KILL,
          }),
          VolumeMounts: [{ Volume: "data", Destination: "/data", ReadOnly: false }],
          Templates: [this.conf],
        },
      ],
    });
    return serviceJob(this.stack, this.jobId, props, group);
  }
}
