// Chat templates as GGUF metadata: tokenizer.chat_template, and tokenizer.chat_template.NAME for
// each further one, whose names tokenizer.chat_templates lists.
#pragma once

#include <map>
#include <string>

#include "alambic/io/gguf/gguf.h"

namespace alambic {

/// Adds the templates of a model folder's files: chat_template.jinja and
/// additional_chat_templates/NAME.jinja, else "chat_template" of tokenizer_config.json.
void add_chat_templates(GgufMetadata& metadata, const std::map<std::string, std::string>& files,
                        const std::string& where);

/// Adds the files of a folder with the templates of the metadata. An input error for a name that
/// cannot be a file's.
void read_chat_templates(const GgufMetadata& metadata, std::map<std::string, std::string>& files);

}  // namespace alambic
