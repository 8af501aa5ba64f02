import type { Construct } from "constructs";
import type { Job } from "../../.gen/nomad/job";
import { Duration } from "../../nomad/duration";
import { compareVersions, type PinnedImage, parseImage } from "../../nomad/image";
import { Memory } from "../../nomad/memory";
import { file, MISSING_SECRET, oneInstance, type Secret } from "../../nomad/template";
import type { BackupSet } from "../backup/set";
import type { Chain } from "../bitcoin/conf";
import type { BitcoinNode } from "../bitcoin/node";
import type { RpcMethod } from "../bitcoin/rpc";
import {
  databaseLimits,
  hardenedTask,
  nomadService,
  resources,
  type ServiceProps,
  serviceGroup,
  serviceJob,
} from "../job-parts";
import { Service } from "../service";
import { busyboxTask, entryConfig, entryScript } from "../shell/busybox";
import { probeCheck, probePort, probeScript, probeTask } from "../shell/probe";
import type { IVolume } from "../storage/volume";

export interface ElectrsProps extends ServiceProps {
  /** The node whose chain is indexed; it must keep all blocks. */
  readonly bitcoin: BitcoinNode;
  /** The volume of the index. Owned by 3001:3001. */
  readonly data: IVolume;
  /** A static busybox with `httpd` and `nc`, such as `busybox:1.37.0-musl`: waits for bitcoind, answers health checks. */
  readonly busybox: PinnedImage;
  /** Port of the Electrum protocol on the machine. @default 50001 */
  readonly port?: number;
  /**
   * Folder of the volume that holds the index, one folder a chain below it. Another folder than the one an adopted
   * index is in means indexing anew, for a day or more.
   *
   * @default "/data"
   */
  readonly dbDir?: "/data" | `/data/${string}`;
  /** Nomad's name of the job and of its service. Changing it is another job. @default "electrs" */
  readonly jobId?: string;
}

/**
 * What electrs 0.11 calls, no more: found by reading its calls, and by taking each away.
 *
 * @see https://github.com/romanz/electrs/blob/v0.11.1/src/daemon.rs
 */
const RPC_METHODS: readonly RpcMethod[] = [
  "getblockchaininfo",
  "getnetworkinfo",
  "getmempoolinfo",
  "getrawmempool",
  "getmempoolentry",
  "getrawtransaction",
  "getblock",
  "estimatesmartfee",
  "sendrawtransaction",
  "submitpackage",
];

/**
 * The keys of electrs.toml that are used here. Closed, because electrs takes a misspelt key without a word and connects
 * to a default address.
 *
 * @see https://github.com/romanz/electrs/blob/v0.11.1/internal/config_specification.toml
 */
interface ElectrsConfig {
  readonly network: "bitcoin" | "testnet4" | "signet" | "regtest";
  readonly db_dir: string;
  readonly electrum_rpc_addr: string;
  readonly log_filters: string;
  readonly auth: string;
  readonly daemon_rpc_addr: string;
  /** Gone in 0.12, which reads blocks over REST. */
  readonly daemon_p2p_addr?: string;
}

const NETWORK: Readonly<Record<Chain, ElectrsConfig["network"]>> = {
  main: "bitcoin",
  testnet4: "testnet4",
  signet: "signet",
  regtest: "regtest",
};

/**
 * 0.12 wants Core 31 with `rest=1`, drops `daemon_p2p_addr` and reindexes.
 *
 * @see https://github.com/romanz/electrs/blob/master/doc/upgrading.md
 */
const REST_SINCE = [0, 12];

const NAME = "electrs";
const CONFIG = "secrets/electrs.toml";
const ELECTRUM_PORT = 50001;
const KILL = Duration.minutes(2);
const DEADLINES = { healthy: Duration.minutes(5), progress: Duration.minutes(15) };

/**
 * electrs, the Electrum server. Defaults: 1000 MHz, 1280 MiB reserved, 2048 MiB at most.
 *
 * It ends within 0.1 s when bitcoind goes, and ends at once when bitcoind is not there, so it is started by a script
 * that first waits for bitcoind at the address that Nomad names at that moment: a restart of bitcoind costs one restart
 * of electrs, a move of bitcoind the same. Its port is open long before it can answer, so a probe asks `server.ping`;
 * the answer is shown and never restarts it or fails a deployment, since indexing takes hours.
 */
export class Electrs extends Service {
  /** The escape hatch: it may be changed until synthesis. */
  readonly job: Job;
  readonly jobId: string;
  /** Name of its service in Nomad. */
  readonly service: string;
  readonly bitcoin: BitcoinNode;

  private readonly password: Secret;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: ElectrsProps,
  ) {
    super(scope, id, props);
    const { bitcoin, data } = props;
    if (bitcoin.pruned) {
      throw new Error(
        `${this.node.path}: bitcoin = ${bitcoin.node.path} is pruned, and electrs needs every block; take \`prune\` from it`,
      );
    }
    this.bitcoin = bitcoin;
    if (bitcoin.blocksOnly) {
      throw new Error(
        `${this.node.path}: bitcoin = ${bitcoin.node.path} has blocksonly in its extraConfig, and electrs needs the mempool; take it out`,
      );
    }
    if (parseImage(props.image).version.length === 0) {
      throw new Error(
        `${this.node.path}: image = "${props.image}": its tag must begin with the version, such as v0.11.1, because the ` +
          "configuration depends on it",
      );
    }
    this.jobId = this.checkJobId(props.jobId ?? "electrs");
    this.checkData(data, "index");
    this.service = this.jobId;
    bitcoin.rpcUser(this.jobId, RPC_METHODS);
    if (this.readsRest()) bitcoin.enableRest();
    this.password = this.secret({ job: this.jobId, group: NAME, task: NAME }, "bitcoin_rpc_password", {
      source: "rpc-password",
      rpcUser: this.jobId,
      description: `password of the RPC user ${this.jobId}`,
    });
    this.stack.jobDependencies.push({ from: this.jobId, on: bitcoin.jobId });
    this.job = this.render();
    this.addJob(this.job, [...bitcoin.dependables, ...data.dependables], { program: "electrs" });
  }

  /** Nothing: its index is made again from the chain, in hours. */
  get backupSet(): BackupSet {
    return { service: this.jobId, nothing: "its index is made again from the chain" };
  }

  private readsRest(): boolean {
    return compareVersions(parseImage(this.props.image).version, REST_SINCE) >= 0;
  }

  private renderConfig(): string {
    const { bitcoin, dbDir } = this.props;
    const address = "{{ .Address }}:{{ .Port }}";
    const fixed: Omit<ElectrsConfig, "auth" | "daemon_rpc_addr" | "daemon_p2p_addr"> = {
      network: NETWORK[bitcoin.chain],
      db_dir: dbDir ?? "/data",
      electrum_rpc_addr: `0.0.0.0:${ELECTRUM_PORT}`,
      log_filters: "INFO",
    };
    const line = (key: keyof ElectrsConfig, value: string) => `${key} = "${value}"`;
    const lines = [
      ...Object.entries(fixed).map(([key, value]) => line(key as keyof typeof fixed, value)),
      this.password.line((password) => line("auth", `${this.jobId}:${password}`)),
      oneInstance(bitcoin.rpcService, line("daemon_rpc_addr", address)),
      ...(this.readsRest() ? [] : [oneInstance(bitcoin.indexerService, line("daemon_p2p_addr", address))]),
    ];
    return `${lines.join("\n")}\n`;
  }

  /** bitcoind is there when the port for indexers takes connections, since it opens last. */
  private renderEntry() {
    const key: keyof ElectrsConfig = this.readsRest() ? "daemon_rpc_addr" : "daemon_p2p_addr";
    return entryScript(["constructs/electrs/entry.sh"], {
      CONFIG: `/${CONFIG}`,
      ADDRESS_KEY: key,
      MISSING_VALUE: MISSING_SECRET,
    });
  }

  private render(): Job {
    const { props } = this;
    const group = serviceGroup({
      name: NAME,
      ports: {
        fixed: [{ Label: "electrum", Value: props.port ?? ELECTRUM_PORT, To: ELECTRUM_PORT }],
        dynamic: [{ ...probePort }],
      },
      services: [nomadService(this.service, "electrum", { ...probeCheck, OnUpdate: "ignore" })],
      volumes: { data: props.data },
      deadlines: DEADLINES,
      tasks: [
        {
          ...hardenedTask({
            name: NAME,
            image: props.image,
            forcePull: props.forcePull,
            config: { ...entryConfig, ...databaseLimits },
            resources: resources(props, {
              cpu: 1000,
              memory: Memory.mebibytes(1280),
              memoryMax: Memory.mebibytes(2048),
            }),
            killTimeout: KILL,
          }),
          VolumeMounts: [{ Volume: "data", Destination: "/data", ReadOnly: false }],
          Templates: [file(CONFIG, this.renderConfig()), this.renderEntry()],
        },
        busyboxTask(props.busybox),
        probeTask(
          props.busybox,
          probeScript(["constructs/electrs/ping-electrs.sh", "constructs/electrs/health.sh"], {
            BUSYBOX: "busybox",
            ELECTRUM_PORT,
          }),
        ),
      ],
    });
    return serviceJob(this.stack, this.jobId, props, group);
  }
}
