import type { Construct } from "constructs";
import type { Job, ServiceCheck } from "../../.gen/nomad/job";
import { Duration } from "../../nomad/duration";
import { compareVersions, type PinnedImage, parseImage } from "../../nomad/image";
import { Memory } from "../../nomad/memory";
import { file, instancesOf, MISSING_SECRET, type Secret } from "../../nomad/template";
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
/** The addresses of bitcoind, from which the start script takes one instance that answers. */
const ADDRESSES = "local/bitcoind";
/** Where the start script tells the probe what it does, and where the probe records when electrs last answered. */
const STATE = "/alloc/data/electrs";
const ANSWERED = "/alloc/data/electrs-answered";
const ELECTRUM_PORT = 50001;
const KILL = Duration.minutes(2);
const DEADLINES = { healthy: Duration.minutes(5), progress: Duration.minutes(15) };

/** An electrs that was ready answers within seconds, a heavy address or a slow disk included. */
const SILENCE = Duration.minutes(5);

/** Answers whether the index is complete. */
export function electrsHealth(port: number): string {
  return probeScript(["constructs/electrs/ping-electrs.sh", "constructs/electrs/health.sh"], {
    BUSYBOX: "busybox",
    STATE,
    ANSWERED,
    ELECTRUM_PORT: port,
  });
}

/** Answers whether electrs has fallen silent. */
export function electrsSilence(): string {
  return probeScript(["constructs/electrs/silence.sh"], { STATE, ANSWERED, SILENCE: SILENCE.toSeconds() });
}

const silenceCheck: ServiceCheck = {
  ...probeCheck,
  Name: "silence",
  Path: "/cgi-bin/silence",
  CheckRestart: { Limit: 3, Grace: Duration.minutes(1).toNanoseconds() },
};

/**
 * electrs, the Electrum server. Defaults: 1000 MHz, 1280 MiB reserved, 2048 MiB at most.
 *
 * It ends within 0.1 s when bitcoind goes, and ends at once when bitcoind is not there, so it is started by a script
 * that first waits for bitcoind at the address that Nomad names at that moment: a restart of bitcoind costs one restart
 * of electrs, a move of bitcoind the same. Its port is open long before it can answer, so a probe asks `server.ping`;
 * the answer is shown and never fails a deployment, since indexing takes hours. When it has answered and then says nothing
 * for 5 minutes, a second check has Nomad restart it; before its first answer after a start, nothing does.
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
    const fixed: Omit<ElectrsConfig, "auth"> = {
      network: NETWORK[bitcoin.chain],
      db_dir: dbDir ?? "/data",
      electrum_rpc_addr: `0.0.0.0:${ELECTRUM_PORT}`,
      log_filters: "INFO",
    };
    const line = (key: keyof ElectrsConfig, value: string) => `${key} = "${value}"`;
    const lines = [
      ...Object.entries(fixed).map(([key, value]) => line(key as keyof typeof fixed, value)),
      this.password.line((password) => line("auth", `${this.jobId}:${password}`)),
    ];
    return `${lines.join("\n")}\n`;
  }

  /** A line for each instance of bitcoind, so that no address of one is ever used with one of another. */
  private renderAddresses(): string {
    const { jobId: job, rpcService, indexerService } = this.props.bitcoin;
    const rpc = "{{ $rpc.Address }}:{{ $rpc.Port }}";
    const p2p = `{{ range nomadService "${indexerService}" }}{{ if eq .AllocID $rpc.AllocID }} {{ .Address }}:{{ .Port }}{{ end }}{{ end }}`;
    return instancesOf({ service: rpcService, job }, `{{ $rpc := . }}${rpc}${this.readsRest() ? "" : p2p}`);
  }

  /** bitcoind is there when the port for indexers takes connections, since it opens last. */
  private renderEntry() {
    return entryScript(["constructs/electrs/entry.sh"], {
      STATE,
      CONFIG: `/${CONFIG}`,
      ADDRESSES: `/${ADDRESSES}`,
      P2P_OPTION: this.readsRest() ? "" : "--daemon-p2p-addr",
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
          // A service of the task, not of the group: its check restarts this task alone.
          Services: [nomadService(this.service, "electrum", { ...probeCheck, OnUpdate: "ignore" }, silenceCheck)],
          Templates: [file(CONFIG, this.renderConfig()), file(ADDRESSES, this.renderAddresses()), this.renderEntry()],
        },
        busyboxTask(props.busybox),
        probeTask(props.busybox, electrsHealth(ELECTRUM_PORT), { silence: electrsSilence() }),
      ],
    });
    return serviceJob(this.stack, this.jobId, props, group);
  }
}
