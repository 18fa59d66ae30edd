// Names of files in a model's folder.
#pragma once

#include <array>

namespace alambic {

/// All that belongs to a tokenizer.
inline constexpr std::array tokenizer_file_names = {"tokenizer.json",
                                                    "tokenizer_config.json",
                                                    "special_tokens_map.json",
                                                    "added_tokens.json",
                                                    "chat_template.jinja",
                                                    "chat_template.json",
                                                    "vocab.json",
                                                    "merges.txt",
                                                    "vocab.txt",
                                                    "tokenizer.model"};

/// Whole weights and the index of shards, best first.
inline constexpr std::array weight_file_names = {
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json"};

}  // namespace alambic
