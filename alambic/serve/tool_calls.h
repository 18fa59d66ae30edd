// Calls of tools in what a model writes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alambic/serve/served_model.h"

namespace alambic {

/// How a family writes its calls, as vLLM's parsers are called:
///   hermes       <tool_call>{"name": …, "arguments": {…}}</tool_call>, one or several (Qwen too)
///   llama3_json  an answer of {"name": …, "parameters": {…}} alone; several are parted by ";"
///   mistral      [TOOL_CALLS][{"name": …, "arguments": {…}}], or [TOOL_CALLS]name[ARGS]{…}
///   deepseek     <｜tool▁call▁begin｜>name<｜tool▁sep｜>{…}<｜tool▁call▁end｜> (V3.1), or
///   "function",
///                the name and a block of JSON (V3), between marks of the whole list
enum class ToolCallForm { none, hermes, llama3_json, mistral, deepseek };

/// By the model's chat template, else by its tokens.
ToolCallForm tool_call_form(const ServedModel& model);
/// What begins a call; "" where there are none.
std::string_view tool_call_mark(ToolCallForm form);

struct ToolCall {
  std::string name;
  std::string arguments;  ///< JSON
};

/// Text of a chat while it comes, and the calls in it. A call of a tool that was not offered, or
/// that is no JSON, is text. With `one`, calls behind the first are left out.
class ToolCallReader {
 public:
  ToolCallReader(ToolCallForm form, std::vector<std::string> tools, bool one = false)
      : form_(form), tools_(std::move(tools)), one_(one) {}

  /// Text outside of calls that is settled by this piece.
  std::string push(std::string_view text);
  /// What is left at the end.
  std::string finish();
  /// Those that are complete.
  const std::vector<ToolCall>& calls() const { return calls_; }

 private:
  std::string settle(bool all);
  bool take(std::string_view body);

  ToolCallForm form_;
  std::vector<std::string> tools_;
  bool one_;
  std::vector<ToolCall> calls_;
  std::string held_;
  bool begun_ = false;  // text other than white space has come
};

}  // namespace alambic
