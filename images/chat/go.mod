module chatapp/chat

go 1.26
