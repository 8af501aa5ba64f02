// CDKTF keeps the whole stack of every token that it makes. Read through jest's source maps, that takes half the time of
// a synthesis, and no test looks at it.
require("cdktf/lib/tokens/private/stack-trace").captureStackTrace = () => [];
