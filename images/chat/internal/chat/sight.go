package chat

// Sight is what one principal may see. It is asked before anything is shown:
// by live delivery, by a session that catches up, by history, by the list of
// topics, and by the answer to a repeated key.
//
// So far everybody sees every topic, and the zero Sight is that.
type Sight struct{}

// Sight is the one place that decides what a principal may see.
func (s *Service) Sight(Principal) Sight { return Sight{} }

// Sees reports whether what is posted to a topic may be shown.
func (Sight) Sees(topic string) bool { return true }
