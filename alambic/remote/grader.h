// A server as the grader of given tokens: its wire, its client, its journal.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "alambic/remote/client.h"
#include "alambic/remote/journal.h"
#include "alambic/remote/wire/grade_wire.h"

namespace alambic {

/// What is wanted of a server.
struct GraderSettings {
  Endpoint endpoint;
  Protocol protocol = Protocol::automatic;
  std::shared_ptr<const Secret> key;  ///< null: none
  ClientOptions client;
  int64_t k = 0;            ///< most likely tokens a place
  bool needs_logp = false;  ///< the graded token's own, wherever it lies
  double temperature = 1;   ///< of the grades
  double noise = 0.05;      ///< nats by which the same tokens may be graded differently
};

/// What a probe has found (remote/probe.h).
struct ServerFacts {
  Protocol protocol = Protocol::automatic;
  std::string model;      ///< the server's name of it
  std::string version;    ///< "" where it does not say
  int64_t positions = 0;  ///< its context; 0: it does not say
  double noise = 0;       ///< largest difference of two grades of the same token, in nats
  double tokens_per_second = 0;
  std::vector<float> logp;  ///< of the probe's text, token by token; NaN: not known
};

/// Not for several threads. What it learns of its server and keeps on the disk is no part of its
/// value: the same tokens get the same grades.
class RemoteGrader {
 public:
  /// The tokenizer, by which the tokens are numbered, must outlive it.
  RemoteGrader(GraderSettings settings, const Tokenizer& tokenizer, std::shared_ptr<Budget> budget);

  /// Asks the server what it is, once, and checks that its grades are what they should be. Errors:
  /// input errors where it is another model or cannot do what is wanted, those of Client.
  const ServerFacts& probe();
  /// The first part of it: which model, which kind of server.
  const ServerFacts& identify();
  const ServerFacts& facts() const { return facts_; }
  /// Asks a server that does not tell its context for a grade at the end of a text of so many
  /// tokens. Where that is too long, facts().positions is known after this: from the server's
  /// words, or by halving. Errors: those of grade().
  void try_length(int64_t tokens);

  /// Grades of all sequences in their order. From the journal where it has them; what comes from
  /// the server is on the disk before this returns. Errors: those of Client and of probe().
  std::vector<TokenGrades> grade(std::span<const GradeRequest> requests);

  /// Keeps replies in a file of this folder, which is made with the first one.
  void keep_in(fs::path folder, std::string name);

  const GraderSettings& settings() const { return settings_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  Client& client() { return client_; }
  int64_t replayed() const { return replayed_; }
  /// Where replies are kept; null without. Opened when it is first asked for.
  Journal* journal();
  /// All that a grade of the K most likely tokens depends on; K = -1: hidden states.
  std::string key_of_part(const GradeRequest& part, int64_t k) const;

 private:
  friend struct Probe;
  friend struct Grading;
  struct Refusal;
  std::optional<Refusal> refusal_of(int64_t tokens);
  const GradeWire& wire() const { return *wire_; }

  GraderSettings settings_;
  const Tokenizer& tokenizer_;
  Client client_;
  std::unique_ptr<GradeWire> wire_;  // null before the probe
  ServerFacts facts_;
  fs::path journal_folder_;
  std::string journal_name_;
  std::unique_ptr<Journal> journal_;
  int64_t replayed_ = 0;
};

}  // namespace alambic
