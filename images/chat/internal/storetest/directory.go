package storetest

import (
	"testing"
)

// RunDirectory runs the suite of people.Directory.
func RunDirectory(t *testing.T, f DirectoryFactory) {
	for _, c := range []struct {
		name string
		test func(*dir)
	}{
		{"D1_DurableWhenAnswered", testDurable},
		{"D2_RepeatedCallsOfOneKindRace", testDirectoryRaces},
		{"D4_ErrorWithinTheDeadline", testDirectoryAway},
		{"N1_OneAccountPerAddress", testRegister},
		{"N1_RacingRegistrations", testRegisterRace},
		{"N2_EveryAccountIsListed", testAccounts},
		{"N3_NewPasswordEndsOtherTokens", testChange},
		{"N4_DeleteTakesAllWithIt", testDeleteAccount},
		{"N5_SignInWithAStalePassword", testSignIn},
		{"N6_TokensAreBounded", testManyTokens},
		{"N7_TokensLastSinceTheirLastUse", testTokenMemory},
		{"L1_WrongPasswordsLock", testWrong},
		{"M1_KeyNamesTheRoom", testRoomKey},
		{"M2_UnknownAndTooMany", testRoomRefusals},
		{"M3_StrangersFindNone", testStrangers},
		{"M4_OnlyTheCreator", testCreatorAlone},
		{"M5_AddAndRemoveAgain", testMembersAgain},
		{"M6_SuccessionAndTheLast", testSuccession},
		{"M7_AddRefusals", testAddRefusals},
		{"M8_ChangeRoom", testChangeRoom},
		{"Rooms_OfAnAccount", testRooms},
		{"Filters", testFilters},
		{"C1_EveryChangeOnce", testChanges},
		{"C1_ChangesWakeTheWaiting", testChangesWake},
		{"C2_LostPositions", testChangesLost},
		{"C3_CancelEndsTheWait", testChangesCancel},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := f(t)
			d := &dir{T: t, u: u}
			d.Directory, d.close = u.Open(t)
			c.test(d)
		})
	}
}
