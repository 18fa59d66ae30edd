// Rows of a data set as token ids.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "alambic/text/dataset.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// Token ids of a row's prompt, with the special tokens that the tokenizer puts around a plain
/// text; a chat template has written them itself.
std::vector<int32_t> prompt_ids(const Tokenizer& tokenizer, const Example& example);

/// Token ids of `teacher_prompt`, in the same way; empty where the row has none.
std::vector<int32_t> teacher_prompt_ids(const Tokenizer& tokenizer, const Example& example);

/// Token ids of a row's completion. A plain row's end with the end-of-text token; a conversation's
/// (ChatUse::completions) are those of what the template writes, up to the token that ends the
/// turn. Empty where the row has no completion.
std::vector<int32_t> completion_ids(const Tokenizer& tokenizer, const Example& example);

/// Ids of a text to which nothing is added, and which of them the assistant wrote.
struct MaskedTokens {
  std::vector<int32_t> ids;
  std::vector<bool> learned;
};

/// Token ids of `text`; learned are those with bytes of `spans` in them, as transformers'
/// return_assistant_tokens_mask, but all tokens of a span's last character are in. `at_start`:
/// nothing precedes the text.
MaskedTokens mask_spans(const Tokenizer& tokenizer, std::string_view text,
                        std::span<const jinja::Span> spans, bool at_start = true);

/// Token ids of a text of a conversation (ChatUse::all_completions). Where the template does not
/// say itself what is learned, white space after the token that ends a turn is not: a completion
/// stops there.
MaskedTokens learned_ids(const Tokenizer& tokenizer, const LearnedText& written);

}  // namespace alambic
