import type { Construct } from "constructs";
import type { Job } from "../../.gen/nomad/job";
import { CHANNEL_BACKUPS } from "../../model/backup-jobs";
import { VOLUME_MARKER } from "../../model/marker-files";
import { Duration } from "../../nomad/duration";
import type { PinnedImage } from "../../nomad/image";
import { Memory } from "../../nomad/memory";
import { file, oneInstance, type Secret } from "../../nomad/template";
import type { BackupSet } from "../backup/set";
import type { Chain } from "../bitcoin/conf";
import type { Electrs } from "../electrs/electrs";
import { hardenedTask, nomadService, resources, type ServiceProps, serviceGroup, serviceJob } from "../job-parts";
import { Service } from "../service";
import { busyboxTask, entryConfig } from "../shell/busybox";
import { probeCheck, probePort, probeTask } from "../shell/probe";
import type { IVolume } from "../storage/volume";
import { channelBackupsTask } from "./channel-backups";
import { AUTO_UNLOCK_PASSWORD, albyHubEntry, albyHubHealth, DATABASE_PASSWORD, ELECTRS_ADDRESS } from "./scripts";

export interface AlbyHubProps extends ServiceProps {
  /** The only chain source. The hub waits at every start until its index is complete. */
  readonly electrs: Electrs;
  /** The volume of the work directory, which holds the channels: it must say `holds: "funds"`. Owned by 3001:3001. */
  readonly data: IVolume;
  /** A static busybox with `httpd`, `nc` and `wget`, such as `busybox:1.37.0-musl`: waits, and answers health checks. */
  readonly busybox: PinnedImage;
  /**
   * Set it for the first deploy of a new hub, on an empty volume, and take it out afterwards. Without it the hub refuses
   * to start on an empty volume, since an empty volume in place of the right one is the loss of all channels.
   *
   * @default false
   */
  readonly firstStart?: boolean;
  /**
   * `auto`: the hub unlocks itself with the secret `auto_unlock_password`, which it also copies into its database in
   * clear, where it stays until switched off in the hub. `by-hand`: after each restart it waits for its owner.
   *
   * @default "auto"
   */
  readonly unlock?: "auto" | "by-hand";
  /** PostgreSQL server. @default the inventory's `postgres_address` */
  readonly databaseAddress?: string;
  /** @default the inventory's `postgres_port` */
  readonly databasePort?: number;
  /** @default "nwc" */
  readonly databaseName?: string;
  /** @default "albyhub" */
  readonly databaseUser?: string;
  /** TLS to the database; `disable` sends the password in clear over the LAN. @default "prefer": TLS when the server has it */
  readonly databaseTls?: "disable" | "prefer" | "require" | "verify-full";
  /** Port of the web page on the machine. @default 8080 */
  readonly port?: number;
  /** How long the node may take to run after a start, before the hub is started again. @default 10 minutes */
  readonly startDeadline?: Duration;
  /**
   * Nostr relays through which wallets reach the hub. Without one nothing but the web page can use it.
   *
   * @default ["wss://relay.getalby.com", "wss://relay2.getalby.com"]
   */
  readonly relays?: readonly `ws${string}`[];
  /** Swap service. @default - none: swaps do not work */
  readonly boltzApi?: `http${string}`;
  /** Where pages of the web interface look up nodes and channels, such as your own mempool. @default - nowhere */
  readonly mempoolApi?: `http${string}`;
  /** Store of encrypted channel state at Alby, for accounts that pay for it. @default - none */
  readonly vssUrl?: `http${string}`;
  /** Liquidity providers, `key@host:port`, to which LDK keeps a connection. @default - none */
  readonly lsps2Addresses?: readonly `${string}@${string}`[];
  /** Service that rebalances channels when its button is pressed. @default - none */
  readonly rebalanceServiceUrl?: `http${string}`;
  /** Tell Alby what happens in the hub. @default false */
  readonly sendEventsToAlby?: boolean;
  /** Link the hub to an Alby account when it is set up. @default false */
  readonly autoLinkAlbyAccount?: boolean;
  /**
   * A second place for the static channel backups, with which the peers can be made to close all channels when the state
   * is lost: a volume that holds `backup`, best on another server. A sidecar copies each there within a minute after the
   * hub has written it, to the folder `channels/<job>`. Nomad mounts it before the hub starts: while it cannot be
   * mounted, a hub that runs goes on, and none starts. A `Backup` that takes the hub's set demands that it is its own
   * volume, since the sidecar also removes stale copies of the work directory from there.
   *
   * @default - none
   */
  readonly channelBackups?: IVolume;
  /** Nomad's name of the job and of its service. Changing it is another job. @default "albyhub" */
  readonly jobId?: string;
}

const NETWORK: Readonly<Partial<Record<Chain, string>>> = { main: "bitcoin", signet: "signet", regtest: "regtest" };

/** A closed port: the hub takes a public default for every address that is unset or empty. */
const NOWHERE = "http://127.0.0.1:9";

/** Without "@" the hub refuses it with a warning, which turns the default provider off. */
const NO_LIQUIDITY_PROVIDER = "none";

const NAME = "albyhub";
const HTTP_PORT = 8080;
const START_DEADLINE = Duration.minutes(10);

/** LDK may take 5 minutes to stop, after up to 50 s of other steps; a killed hub has corrupted its database before. */
const KILL = Duration.minutes(6);
const DEADLINES = { healthy: Duration.minutes(5), progress: Duration.minutes(15) };

/**
 * Alby Hub with LDK, its channels on a volume, its accounts in PostgreSQL. Defaults: 500 MHz, 1280 MiB reserved,
 * 2048 MiB at most.
 *
 * **Channels are money: never may two hubs run on the same ones.** The program neither locks its directory nor minds an
 * empty one, so the job does: fence, one instance, a start script that refuses an empty or a foreign volume.
 *
 * It tries its node once and then stays up dead; the start script waits for electrs first. Its web page answers 200 all
 * the same, so a probe asks whether the node runs, and Nomad restarts the hub when it has not run for the start
 * deadline, or when electrs has moved to another address.
 *
 * Before set-up whoever reaches the port first sets the password: set it up at once after the first deploy.
 *
 * Hosts outside that it talks to, with these defaults:
 *
 * | host | when | prop |
 * | --- | --- | --- |
 * | relay.getalby.com, relay2.getalby.com | always | `relays` |
 * | getalby.com | each start (10 s at most), exchange rates, channel suggestions | none, it is fixed |
 * | api.getalby.com | with a linked account only | `autoLinkAlbyAccount`, `sendEventsToAlby` |
 * | Lightning peers | channels, gossip | chosen in the hub |
 * | api.boltz.exchange, mempool.space, vss.getalbypro.com, megalithic.me, a liquidity provider | never | `boltzApi`, `mempoolApi`, `vssUrl`, `rebalanceServiceUrl`, `lsps2Addresses` |
 * | a rapid gossip server, ark.second.tech | never: off in the hub until its owner turns them on | none |
 * | getalby.com and others | by the browser that shows the page, not by the hub | none |
 * | electrs.getalbypro.com | **never**, nor any other public chain source: it would see the owner's addresses | `electrs` |
 *
 * @see https://github.com/getAlby/hub/blob/v1.24.0/config/models.go
 */
export class AlbyHub extends Service {
  /** The escape hatch: it may be changed until synthesis. */
  readonly job: Job;
  readonly jobId: string;

  private readonly databasePassword: Secret;
  /** Absent when the owner unlocks it by hand. */
  private readonly unlockPassword: Secret | undefined;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: AlbyHubProps,
  ) {
    super(scope, id, props);
    const { data, electrs } = props;
    this.jobId = this.checkJobId(props.jobId ?? NAME);
    this.checkData(data, "funds");
    if (props.channelBackups) this.checkData(props.channelBackups, "backup", "channelBackups");
    this.checkDatabase();
    const reader = { job: this.jobId, group: NAME, task: NAME };
    this.databasePassword = this.secret(reader, DATABASE_PASSWORD, {
      source: "owner",
      description: this.databaseSecret(),
      sameAs: this.sharedSecret(DATABASE_PASSWORD),
    });
    if (props.unlock !== "by-hand") {
      this.unlockPassword = this.secret(reader, AUTO_UNLOCK_PASSWORD, {
        source: "random",
        description: "password that unlocks the hub at its start",
      });
    }
    this.stack.jobDependencies.push({ from: this.jobId, on: electrs.jobId });
    this.notify(
      `until it is set up, whoever reaches port ${props.port ?? HTTP_PORT} first owns the hub: set it up at once after the first deploy`,
    );
    if (props.firstStart) {
      this.notify("firstStart = true lets it start on an empty volume: take it out after the first deploy");
    }
    this.job = this.render();
    const volumes = [data, ...(props.channelBackups ? [props.channelBackups] : [])];
    this.addJob(this.job, [...electrs.dependables, ...volumes.flatMap(({ dependables }) => dependables)], {
      program: "Alby Hub",
    });
  }

  /**
   * The database, which holds the encrypted seed, and the static channel backups. **Never the live state of the
   * channels**: a node that is started from an old copy of it loses them to penalties.
   */
  get backupSet(): BackupSet {
    const { data, channelBackups, databaseAddress, databasePort, databaseName, databaseUser, databaseTls } = this.props;
    const { postgres } = this.stack.cluster;
    return {
      service: this.jobId,
      database: {
        address: databaseAddress ?? postgres.address,
        port: databasePort ?? postgres.port,
        name: databaseName ?? "nwc",
        user: databaseUser ?? NAME,
        tls: databaseTls ?? "prefer",
        secret: this.sharedSecret(DATABASE_PASSWORD),
        secretDescription: this.databaseSecret(),
      },
      files: {
        volume: data.readOnly(),
        include: [`${CHANNEL_BACKUPS}/*.json`, VOLUME_MARKER],
        copies: channelBackups,
      },
    };
  }

  private databaseSecret(): string {
    return `password of the PostgreSQL role ${this.props.databaseUser ?? NAME}`;
  }

  /** The label of a secret that a backup needs too. */
  private sharedSecret(key: string): string {
    return `${this.jobId}/${key}`;
  }

  /** Its parts stand in a shell script and in a URL; and two hubs with one database are one seed with two channel stores. */
  private checkDatabase(): void {
    const { path } = this.node;
    const { databaseAddress, databaseName, databaseUser } = this.props;
    for (const [prop, value] of Object.entries({ databaseAddress, databaseName, databaseUser })) {
      if (value !== undefined && !/^[A-Za-z0-9._-]+$/.test(value)) {
        throw new Error(`${path}: ${prop} = "${value}" must be letters, digits, dots, dashes and underscores alone`);
      }
    }
    const twin = this.stack.node
      .findAll()
      .find((one) => one instanceof AlbyHub && one !== this && one.database() === this.database());
    if (twin) {
      throw new Error(
        `${path}: databaseName = "${databaseName ?? "nwc"}" is the database of ${twin.node.path} already: two hubs with one ` +
          "seed can lose their channels; give each its own databaseName and databaseUser",
      );
    }
  }

  private network(): string {
    const { chain } = this.props.electrs.bitcoin;
    const network = NETWORK[chain];
    if (!network) {
      throw new Error(
        `${this.node.path}: electrs follows chain "${chain}", which Alby Hub does not know; use ${Object.keys(NETWORK).join(", ")}`,
      );
    }
    return network;
  }

  /** No variable but one is ever empty: the hub would take a public default for it. */
  private environment(): Record<string, string> {
    const { props } = this;
    return {
      WORK_DIR: "/data",
      PORT: String(HTTP_PORT),
      NETWORK: this.network(),
      LN_BACKEND_TYPE: "LDK",
      LDK_ESPLORA_SERVER: NOWHERE,
      // Empty is off; an address, even a dead one, turns the store on.
      LDK_VSS_URL: props.vssUrl ?? "",
      LDK_LSPS2_ADDRESSES: props.lsps2Addresses?.join(",") || NO_LIQUIDITY_PROVIDER,
      RELAY: (props.relays ?? ["wss://relay.getalby.com", "wss://relay2.getalby.com"]).join(",") || "ws://127.0.0.1:9",
      BOLTZ_API: props.boltzApi ?? NOWHERE,
      MEMPOOL_API: props.mempoolApi ?? NOWHERE,
      REBALANCE_SERVICE_URL: props.rebalanceServiceUrl ?? NOWHERE,
      SEND_EVENTS_TO_ALBY: String(props.sendEventsToAlby ?? false),
      AUTO_LINK_ALBY_ACCOUNT: String(props.autoLinkAlbyAccount ?? false),
      LOG_TO_FILE: "false",
    };
  }

  /** Server, port and name: what makes it one database, whoever logs in and how. */
  private database(): string {
    const { databaseAddress, databasePort, databaseName = "nwc" } = this.props;
    const { postgres } = this.stack.cluster;
    return `${databaseAddress ?? postgres.address}:${databasePort ?? postgres.port}/${databaseName}`;
  }

  private render(): Job {
    const { props } = this;
    const deadline = props.startDeadline ?? START_DEADLINE;
    const electrsAddress = file(ELECTRS_ADDRESS, oneInstance(props.electrs.service, "{{ .Address }}:{{ .Port }}"));
    const autoUnlock = this.unlockPassword !== undefined;
    const group = serviceGroup({
      name: NAME,
      ports: {
        fixed: [{ Label: "http", Value: props.port ?? HTTP_PORT, To: HTTP_PORT }],
        dynamic: [{ ...probePort }],
      },
      volumes: { data: props.data, ...(props.channelBackups && { second: props.channelBackups }) },
      deadlines: DEADLINES,
      tasks: [
        {
          ...hardenedTask({
            name: NAME,
            image: props.image,
            forcePull: props.forcePull,
            config: entryConfig,
            resources: resources(props, {
              cpu: 500,
              memory: Memory.mebibytes(1280),
              memoryMax: Memory.mebibytes(2048),
            }),
            killTimeout: KILL,
          }),
          Env: this.environment(),
          VolumeMounts: [{ Volume: "data", Destination: "/data", ReadOnly: false }],
          // A service of the task, not of the group: its check restarts this task alone.
          Services: [
            nomadService(this.jobId, "http", {
              ...probeCheck,
              CheckRestart: { Limit: 3, Grace: Duration.minutes(1).toNanoseconds() },
            }),
          ],
          Templates: [
            albyHubEntry({
              volumeId: props.data.volumeId,
              firstStart: props.firstStart ?? false,
              secrets: this.databasePassword.path,
              autoUnlock,
              database: {
                location: this.database(),
                user: props.databaseUser ?? NAME,
                tls: props.databaseTls ?? "prefer",
              },
            }),
            electrsAddress,
            this.databasePassword.file(),
            ...(this.unlockPassword ? [this.unlockPassword.file()] : []),
          ],
        },
        busyboxTask(props.busybox),
        probeTask(props.busybox, albyHubHealth(HTTP_PORT, deadline, autoUnlock), [{ ...electrsAddress }]),
        ...(props.channelBackups
          ? [channelBackupsTask(props.busybox, { job: this.jobId, data: "data", second: "second" })]
          : []),
      ],
    });
    return serviceJob(this.stack, this.jobId, props, group);
  }
}
