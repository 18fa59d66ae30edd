#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alambic/serve/answer_text.h"
#include "alambic/serve/sequence_job.h"
#include "alambic/serve/tool_calls.h"

namespace alambic {

/// One of the completions that a call asks for, as far as it is written.
class AnswerChoice {
 public:
  /// `tools`: finds calls in the text, where there may be some.
  AnswerChoice(size_t index, std::shared_ptr<SequenceJob> job, AnswerText text,
               std::optional<ToolCallReader> tools)
      : index_(index), job_(std::move(job)), text_(std::move(text)), tools_(std::move(tools)) {}

  /// Takes what the engine has written. An ApiError 500 or 503 where it failed.
  void update();
  void cancel() { job_->cancel(); }

  size_t index() const { return index_; }
  const SequenceJob& job() const { return *job_; }
  /// Tokens that count: up to the stop token, or the one that completed a stop string.
  const std::vector<WrittenToken>& tokens() const { return tokens_; }
  const std::string& text() const { return whole_; }
  /// Calls of tools in it, which its text does not have.
  const std::vector<ToolCall>& calls() const {
    static const std::vector<ToolCall> none;
    return tools_ ? tools_->calls() : none;
  }
  /// "stop", "length", "tool_calls"; "" while it runs.
  const std::string& finish_reason() const { return finish_reason_; }
  const std::optional<std::string>& stopped_by() const { return text_.stopped_by(); }

  /// What is new since the last part of a stream.
  struct Part {
    std::string text;
    size_t first_token = 0, end_token = 0;
    size_t first_call = 0, end_call = 0;
    bool last = false;
  };
  /// Nothing where there is neither new text nor the end.
  std::optional<Part> next_part();

 private:
  void add(const std::string& text);
  void finish(const char* reason);

  size_t index_;
  std::shared_ptr<SequenceJob> job_;
  AnswerText text_;
  std::optional<ToolCallReader> tools_;
  std::vector<WrittenToken> tokens_;
  std::string whole_, finish_reason_;
  size_t given_text_ = 0, given_tokens_ = 0, given_calls_ = 0;
  bool given_end_ = false;
};

}  // namespace alambic
