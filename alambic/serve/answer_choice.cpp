#include "alambic/serve/answer_choice.h"

#include "alambic/serve/api_error.h"

namespace alambic {

void AnswerChoice::add(const std::string& text) { whole_ += tools_ ? tools_->push(text) : text; }

void AnswerChoice::finish(const char* reason) {
  add(text_.finish());
  if (tools_) whole_ += tools_->finish();
  finish_reason_ = text_.stopped_by() ? "stop" : reason;
  if (!calls().empty() && finish_reason_ == "stop") finish_reason_ = "tool_calls";
}

void AnswerChoice::update() {
  if (!finish_reason_.empty()) return;
  std::vector<WrittenToken> written;
  const JobEnd end = job_->take(written);
  for (WrittenToken& token : written) {
    add(text_.push(token.id));
    tokens_.push_back(std::move(token));
    if (!text_.stopped_by()) continue;
    job_->cancel();  // what it writes from here on is not wanted
    return finish("stop");
  }
  switch (end) {
    case JobEnd::running:
      return;
    case JobEnd::stop_token:
      return finish("stop");
    case JobEnd::length:
      return finish("length");
    case JobEnd::failed:
      throw ApiError(job_->cancelled() ? 503 : 500, job_->failure());
  }
}

std::optional<AnswerChoice::Part> AnswerChoice::next_part() {
  const bool ended = !finish_reason_.empty();
  const bool is_new = given_text_ < whole_.size() || given_calls_ < calls().size();
  if (given_end_ || (!ended && !is_new)) return std::nullopt;
  Part part{.text = whole_.substr(given_text_),
            .first_token = given_tokens_,
            .end_token = tokens_.size(),
            .first_call = given_calls_,
            .end_call = calls().size(),
            .last = ended};
  given_text_ = whole_.size();
  given_tokens_ = tokens_.size();
  given_calls_ = calls().size();
  given_end_ = ended;
  return part;
}

}  // namespace alambic
