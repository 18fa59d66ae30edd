// A server that writes text: answers of a teacher, verdicts of a judge.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "alambic/remote/client.h"
#include "alambic/remote/journal.h"
#include "alambic/remote/protocol.h"

namespace alambic {

/// What is to be written on from: a conversation, or token ids where `messages` is empty.
struct WriteRequest {
  std::vector<std::pair<std::string, std::string>> messages;  ///< role and content
  std::vector<int32_t> tokens;
  /// Number of the draw, where one request is made several times.
  int64_t sample = 0;
};

/// How it is written.
struct WriteSettings {
  double temperature = 1, top_p = 1;
  int64_t max_tokens = 256;
  int64_t seed = 0;
  int64_t top_logprobs = 0;  ///< candidates of the first token; 0: none
};

struct WrittenText {
  std::string text;
  bool ended = false;  ///< by itself, not at its greatest length
  /// Candidates of the first token with their log-probabilities; none where the server gives none.
  std::vector<std::pair<std::string, double>> first;
  Usage usage;
  bool too_long = false;  ///< nothing was written: the request is longer than the model's context
  int64_t context = 0;    ///< which the server says; 0: it does not
};

/// How a server of text is spoken to: chats of OpenAI's form, which nearly all have, or those of
/// Anthropic and Gemini, by the host's name.
enum class ChatForm { openai, anthropic, gemini };

ChatForm chat_form(const Endpoint& endpoint);
/// What stands before the key in a header of the form.
std::string key_header(ChatForm form);
std::vector<std::string> extra_headers(ChatForm form);

struct WriteExchange {
  std::string route, body;
};
/// A request of the form; of token ids it is one to /v1/completions, which only OpenAI's form has.
WriteExchange write_exchange(ChatForm form, const std::string& model, const WriteRequest& request,
                             const WriteSettings& settings);
/// The reply; throws MalformedReply (remote/token_grades.h) for one that is none.
WrittenText read_written(ChatForm form, const std::string& body);

/// Not for several threads.
class RemoteWriter {
 public:
  RemoteWriter(const Endpoint& endpoint, const std::shared_ptr<const Secret>& key,
               ClientOptions options, std::shared_ptr<Budget> budget);

  /// Writes all; `done(i, text)` is told of each as it comes, in any order, with what it has cost;
  /// also of those that are too long. Errors: those of Client.
  void write(std::span<const WriteRequest> requests, const WriteSettings& settings,
             const std::function<void(size_t, const WrittenText&)>& done);

  /// Keeps replies in a file of this folder, which is made with the first one: what it has is not
  /// asked again.
  void keep_in(const fs::path& folder, const std::string& name);

  const Client& client() const { return client_; }
  /// The server's only model where the address names none (asked once).
  const std::string& model();

 private:
  ChatForm form_;
  Client client_;
  std::string model_;
  fs::path journal_folder_;
  std::string journal_name_;
  std::unique_ptr<Journal> journal_;
};

}  // namespace alambic
