// Package storetest is the one definition of a correct store: a test for each
// numbered clause of chat.Log, chat.Numbers, chat.Presence, chat.Broadcast and
// people.Directory, and property tests over them with a fixed seed. Every store
// runs it whole; what is particular to one store is tested there.
//
// Nothing here asserts how fast a store is. The one deadline, patience, only
// ends a test that would otherwise hang.
package storetest

import (
	"testing"
)

// Run runs the whole suite against the logs that f makes.
func Run(t *testing.T, f Factory) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Factory)
	}{
		{"Partitions", testPartitions},
		{"A1_DurableAndInOrderOfDrafts", testA1},
		{"A2_PositionsAscend", testA2},
		{"A3_KeyNamesTheFirst", testA3},
		{"A3_KeysBelongToAddressAndTopic", testA3Others},
		{"A3_RacingHandlesAgree", testA3Race},
		{"A4_TimeNeverGoesBack", testA4},
		{"A5_AppendAgainAfterAnError", testA5},
		{"A6_ErrorWithinTheDeadline", testA6},
		{"A7_RepliesCountAndAreRefused", testA7},
		{"A7_RefusedIsNotAppended", testA7Refused},
		{"R1_InOrderWithoutGapOrRepeat", testR1},
		{"R2_AboutMax", testR2},
		{"R3_WaitsThenGivesNone", testR3},
		{"R4_GivenAsSoonAsAppended", testR4},
		{"R5_CancelEndsTheWait", testR5},
		{"R6_LaterKindsAndFields", testLaterVersion},
		{"R6_Damage", testDamage},
		{"R6_DamageAtTheEnd", testDamageAtTheEnd},
		{"R7_GapWhereRetentionPassed", testR7},
		{"B1_DirectlyPrecedeTheBound", testB1},
		{"B2_AnyBound", testB2},
		{"B3_WithoutWhatRetentionRemoved", testB3},
		{"S1_HeadCoversEveryAppend", testS1},
		{"S2_EverythingAfterFloorIsReadable", testS2},
		{"S3_EpochChangesWithThePast", testS3},
		{"T1_T3_TopicsWithCountAndLast", testT1},
		{"T2_EmptiedTopicsVanish", testT2},
		{"P1_SilentServersDoNotCount", testP1},
		{"P2_NobodyIsForgottenAtOnce", testP2},
		{"P3_OpenServersAreCounted", testP3},
		{"P4_AccountsCountOnce", testP4},
		{"P5_StaleSaysToTellAll", testP5},
		{"V1_TallyOfEachBallotDurably", testV1},
		{"V2_OneVotePerVoter", testV2},
		{"V3_GoneMessagesTakeNoVote", testV3},
		{"V4_VoteAgainAfterAnError", testV4},
		{"D1_DeletingKeepsNumbers", testD1},
		{"N1_EveryAcknowledgedChange", testN1},
		{"N2_RepliesAndEventsAtPositions", testN2},
		{"N3_ChangesComeAfterMessages", testN3},
		{"N4_ForgottenWithTheMessage", testN4},
		{"F1_EveryChangeIsFollowed", testF1},
		{"F3_CancelEndsTheWait", testF3},
		{"E2_EphemeralsInOrderOfTheirSender", testE2},
		{"E4_NothingOfEphemeralsIsKept", testE4},
		{"Close_EndsCallsUnderWay", testClose},
		{"Retention_OverDamage", testRetentionOverDamage},
		{"Retention_Messages", testRetentionMessages},
		{"Retention_Bytes", testRetentionBytes},
		{"Retention_AgeWhileNobodyPosts", testRetentionAge},
		{"Property_EveryReaderSeesOneOrder", testOneOrder},
		{"Property_BeforeAgreesWithRead", testBeforeAgreesWithRead},
		{"Property_VotesAgainstAModel", testVotesAgainstModel},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, f)
		})
	}
}
