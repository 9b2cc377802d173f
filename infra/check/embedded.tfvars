# The defaults, with the required consent to an anonymous API.
allow_anonymous = true
