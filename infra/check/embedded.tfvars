# The defaults, and who may do without a key said in so many words.
allow_anonymous = true
