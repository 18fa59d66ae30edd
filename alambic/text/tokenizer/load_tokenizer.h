#pragma once

#include "alambic/base/files.h"
#include "alambic/io/gguf/tokenizer.h"
#include "alambic/text/chat/chat_template.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// The tokenizer of a model folder, or the one inside a GGUF file.
Tokenizer load_tokenizer(const fs::path& model);

/// The chat templates of a model folder or a GGUF file; none: `by_name` is empty.
TemplateSources template_sources_of(const fs::path& model);

/// The chat template of a model folder or a GGUF file, or with a `name` the one of its templates
/// that is called so.
ChatTemplate load_chat_template(const fs::path& model, const std::string& name = "");

/// The one without a name; nothing where there is none.
std::optional<ChatTemplate> find_chat_template(const fs::path& model);

/// Special tokens of a tokenizer, for a GGUF file. Where it adds one token before or after a text,
/// that one is BOS or EOS.
GgufSpecialTokens special_tokens_of(const Tokenizer& tokenizer);

/// False for a folder without vocabulary files and a GGUF file without a vocabulary.
bool has_tokenizer(const fs::path& model);

}  // namespace alambic
