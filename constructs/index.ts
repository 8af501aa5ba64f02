export { AlbyHub, type AlbyHubProps } from "./alby-hub";
export type { Chain, ExtraConfig } from "./bitcoin-conf";
export { BitcoinNode, type BitcoinNodeProps } from "./bitcoin-node";
export type { RpcMethod, RpcUser } from "./bitcoin-rpc";
export { CsiVolume, type CsiVolumeProps, type IVolume } from "./csi-volume";
export { Electrs, type ElectrsProps } from "./electrs";
export { HomelabStack, type HomelabStackProps } from "./homelab-stack";
export { NfsCsiPlugin, type NfsCsiPluginProps } from "./nfs-csi-plugin";
