// How a kind of server is asked for grades.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "alambic/remote/budget.h"
#include "alambic/remote/protocol.h"
#include "alambic/remote/token_grades.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// What a kind of server can say of given tokens.
struct GradeAbilities {
  bool topk = true;    ///< the K most likely tokens, beside the token itself
  int64_t most_k = 0;  ///< greatest K of its kind; 0: none is known
  bool logp = true;    ///< the token's own log-probability wherever it lies
};

/// A token as a server spells it.
struct SpelledToken {
  int32_t id = 0;
  std::string text;
  bool exact = false;  ///< the token's bytes; else what it is decoded to by itself
};

/// Request out, reply in. No state and no network.
struct GradeWire {
  virtual ~GradeWire() = default;
  virtual GradeAbilities abilities() const { return {}; }
  virtual std::string route() const = 0;
  /// Parts of a sequence that can be asked for in one request each, in order.
  virtual std::vector<GradeRequest> parts(const GradeRequest& request) const { return {request}; }
  /// Sequences of one request; 1 where the server batches requests itself.
  virtual size_t most_together() const { return 1; }
  virtual std::string body(const std::string& model, std::span<const GradeRequest> requests,
                           int64_t k) const = 0;
  /// Grades of each request, unchecked; throws MalformedReply.
  virtual std::vector<TokenGrades> read(const std::string& body,
                                        std::span<const GradeRequest> requests,
                                        int64_t k) const = 0;
  /// How the server spells the candidates of a reply; none where it does not say.
  virtual std::vector<SpelledToken> spelled(const std::string& /*body*/) const { return {}; }
  /// Tokens that the server counted; nothing where it does not say.
  virtual std::optional<Usage> usage(const std::string& body) const;
};

/// The wire of a protocol; `tokenizer` must outlive it. None for automatic and chat, an internal
/// error.
std::unique_ptr<GradeWire> make_grade_wire(Protocol protocol, const Tokenizer& tokenizer);

}  // namespace alambic
