#include "alambic/text/chat/turns.h"

#include <algorithm>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/text/chat/learned_messages.h"

namespace alambic {
namespace {

using jinja::Value;

constexpr const char* blanks = " \t\r\n";

std::string_view trimmed_left(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(blanks), text.size()));
}

std::string_view trimmed_right(std::string_view text) {
  return text.substr(0, text.find_last_not_of(blanks) + 1);
}

// A tag that a request ends with: "<think>" or "[THINK]", and the white space behind it.
struct Opening {
  size_t at = 0;
  std::string tag, closing;
  std::string space;
};

std::optional<Opening> opening_of(const std::string& request) {
  const size_t end = request.find_last_not_of(blanks);
  if (end == request.npos || (request[end] != '>' && request[end] != ']')) return std::nullopt;
  const char first = request[end] == '>' ? '<' : '[';
  const size_t at = request.rfind(first, end);
  if (at == request.npos || at + 1 == end) return std::nullopt;
  const std::string name = request.substr(at + 1, end - at - 1);
  const auto is_letter = [](unsigned char c) { return std::isalpha(c) != 0 || c == '_'; };
  if (!std::ranges::all_of(name, is_letter)) return std::nullopt;
  return Opening{.at = at,
                 .tag = request.substr(at, end + 1 - at),
                 .closing = fmt::format("{}/{}{}", first, name, request[end]),
                 .space = request.substr(end + 1)};
}

// What the assistant thought, up to the closing tag, and the white space behind that.
struct Thinking {
  std::string text, space;
};

std::optional<Thinking> thinking_of(const Value& message, const Opening& opening) {
  const std::string content = plain_text(message);
  const size_t close = content.rfind(opening.closing);
  if (close != content.npos) {
    std::string_view text = std::string_view(content).substr(0, close);
    const std::string_view answer =
        std::string_view(content).substr(close + opening.closing.size());
    if (trimmed_left(text).starts_with(opening.tag)) {
      text = trimmed_left(text).substr(opening.tag.size());
    }
    text = text.starts_with(opening.space) ? text.substr(opening.space.size()) : trimmed_left(text);
    return Thinking{std::string(text),
                    std::string(answer.substr(0, answer.size() - trimmed_left(answer).size()))};
  }
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const Value* field = message.dict()->find(name);
    if (field == nullptr || field->string() == nullptr || field->string()->empty()) continue;
    return Thinking{std::string(trimmed_right(trimmed_left(*field->string()))) + "\n", "\n\n"};
  }
  return std::nullopt;
}

// The turn where the request ends with an opening tag that the template does not write again.
std::optional<Turn> reopened(const std::string& request, const std::string& whole,
                             const Value& message) {
  const auto opening = opening_of(request);
  if (!opening || !whole.starts_with(std::string_view(request).substr(0, opening->at))) {
    return std::nullopt;
  }
  std::string_view answer = std::string_view(whole).substr(opening->at);
  Turn turn{.text = request, .begin = request.size(), .reopened = true};
  if (answer.starts_with(opening->tag)) {  // it does, with other white space behind it
    turn.text += trimmed_left(answer.substr(opening->tag.size()));
    return turn;
  }
  if (answer.find(opening->closing) != answer.npos) return std::nullopt;
  auto thinking = thinking_of(message, *opening);
  turn.thinks = thinking.has_value();
  if (!thinking) thinking = Thinking{"\n", "\n\n"};
  turn.text += thinking->text + opening->closing;
  if (trimmed_left(answer).size() == answer.size()) turn.text += thinking->space;
  turn.text += answer;
  return turn;
}

// Excerpt around the place where two texts part, for an error: "…assistant\n<think>".
std::string excerpt(const std::string& text, size_t at) {
  constexpr size_t before = 24, after = 24;
  size_t begin = at > before ? at - before : 0;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  size_t end = std::min(text.size(), at + after);
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  std::string shown = text.substr(begin, end - begin);
  for (size_t i = 0; (i = shown.find('\n', i)) != shown.npos; i += 2) shown.replace(i, 1, "\\n");
  return fmt::format("\"{}{}\"", begin > 0 ? "…" : "", shown);
}

// Joins a turn to the text before it, where that is how the turn's text begins.
bool join(LearnedText& before, const Turn& turn) {
  size_t& end = before.learned.back().end;
  std::string_view beginning = std::string_view(before.text).substr(0, end);
  if (!turn.text.starts_with(beginning)) beginning = trimmed_right(beginning);
  if (!turn.text.starts_with(beginning) || turn.begin < beginning.size()) return false;
  end = beginning.size();
  before.text = turn.text;
  return true;
}

}  // namespace

std::pair<std::string, std::string> first_difference(const std::string& a, const std::string& b) {
  const size_t at = std::ranges::mismatch(a, b).in1 - a.begin();
  return {excerpt(a, at), excerpt(b, at)};
}

size_t expect_beginning(const std::string& beginning, const std::string& whole, size_t message,
                        const char* what) {
  if (whole.starts_with(beginning)) return beginning.size();
  const auto [expected, found] = first_difference(beginning, whole);
  throw input_error(
      "cannot tell what the assistant writes in message {}: the template writes {} {}, but the "
      "whole conversation {}",
      message + 1, what, expected, found)
      .with_hint(
          "mark what the assistant writes with {% generation %} … {% endgeneration %} in a copy "
          "of the template, and give it as --chat-template FILE");
}

jinja::Rendered render_messages(const ChatTemplate& chat_template, const Chat& chat,
                                size_t messages, bool open) {
  const auto end = chat.messages.begin() + static_cast<std::ptrdiff_t>(messages);
  return chat_template.render({.messages = jinja::make_list({chat.messages.begin(), end}),
                               .tools = chat.tools,
                               .add_generation_prompt = open,
                               .more = chat.more});
}

Turn turn_of(const ChatTemplate& chat_template, const Chat& chat, size_t message) {
  const std::string request = render_messages(chat_template, chat, message, true).text;
  std::string whole = render_messages(chat_template, chat, message + 1, false).text;
  if (!whole.starts_with(request)) {
    if (auto turn = reopened(request, whole, chat.messages[message])) return *turn;
  }
  const size_t begin = expect_beginning(request, whole, message, "the request for it as");
  return {.text = std::move(whole), .begin = begin};
}

std::vector<LearnedText> texts_of_turns(const ChatTemplate& chat_template, const Chat& chat) {
  std::vector<LearnedText> texts;
  for (size_t i = chat.first; i < chat.messages.size(); ++i) {
    if (!is_learned(chat.messages[i])) continue;
    const Turn turn = turn_of(chat_template, chat, i);
    if (turn.begin == turn.text.size()) continue;
    if (texts.empty() || !join(texts.back(), turn)) texts.push_back({.text = turn.text});
    LearnedText& text = texts.back();
    text.learned.push_back({turn.begin, turn.text.size()});
    if (turn.reopened) text.reopened.push_back(turn.begin);
    text.without_thinking += turn.reopened && !turn.thinks;
  }
  return texts;
}

}  // namespace alambic
