import { Duration } from "../nomad/duration";

/**
 * Within so many blocks a Lightning node must see, and answer, that a peer has published a revoked state of a channel;
 * later the peer may keep what it took. It is the delay that our node imposes on its peers, LDK's `our_to_self_delay`,
 * which LDK enforces as a minimum. Alby Hub does not change it: v1.24.0 uses ldk-node-go 20260805080406, made of
 * getAlby/ldk-node, whose Cargo.toml asks for lightning 0.2, and whose sources do not set it.
 *
 * @see https://github.com/lightningdevkit/rust-lightning/blob/v0.2.5/lightning/src/ln/channelmanager.rs `BREAKDOWN_TIMEOUT`
 * @see https://github.com/lightningdevkit/rust-lightning/blob/v0.2.5/lightning/src/util/config.rs `our_to_self_delay`
 */
export const PENALTY_WINDOW_BLOCKS = 144;

/** At the ten minutes that Bitcoin aims at; in a fast week 144 blocks take two or three hours less. */
export const PENALTY_WINDOW = Duration.minutes(10 * PENALTY_WINDOW_BLOCKS);

/** From here on it is told in red: the other half is for starting, for catching up, and for a transaction to confirm. */
export const PENALTY_WINDOW_NEAR = Duration.hours(12);

/** In one phrase, for whoever stops a hub. */
export const PENALTY_WINDOW_TEXT = `a peer that cheats must be answered within ${PENALTY_WINDOW_BLOCKS} blocks, about ${PENALTY_WINDOW.toSeconds() / 3600} h (LDK's default)`;
