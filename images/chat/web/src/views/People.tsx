/** Accounts and rooms, as one part: they share their dialogs, and a part of a part would cost a request more. */

export { Account, Gate } from "./Account.tsx";
export { RoomKeeper } from "./RoomKeeper.tsx";
export { RoomSheet } from "./RoomSheet.tsx";
