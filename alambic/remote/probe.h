// A grade is not trusted before this: what a server is, and whether it grades as it should.
#pragma once

#include <string>
#include <vector>

#include "alambic/remote/grader.h"

namespace alambic {

/// Fills in the facts and the wire of `grader`:
///   its models and context (GET /v1/models; /props of llama.cpp)
///   a text of about 32 tokens of ours, graded: as many rows as tokens, so none was added (BOS);
///   the K wanted, or the error with which it is refused and the greatest K that is taken
///   the strings of the candidates are our tokenizer's for their ids
///   probabilities that are some: no zeros throughout, as servers with speculative decoding give
///   the same text twice with another between them: the difference
/// Input errors: another tokenizer, fewer candidates than wanted, grades that are none, grades that
/// change by more than the settings' noise. Errors of Client.
void probe_server(RemoteGrader& grader);

/// The first of these alone: which model, which kind of server.
void identify_server(RemoteGrader& grader);

/// The token ids of a text of about so many tokens, none of them special.
std::vector<int32_t> probe_tokens(const Tokenizer& tokenizer, size_t count, size_t variant);

}  // namespace alambic
