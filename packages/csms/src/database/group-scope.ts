/**
 * Statements of a group are sent without waiting for the answer to BEGIN. Should a cancel hit just that, each would be
 * a transaction of its own; so each asks for this setting, which lives as long as the group's transaction.
 */
const SETTING = "polyphase.in_group";

/** Begins the transaction of a group. */
export const BEGIN_GROUP = `begin; set local ${SETTING} = on`;

/** A condition in SQL that holds in the transaction of a group and is an error anywhere else. */
export const IN_GROUP = `current_setting('${SETTING}')::boolean`;
