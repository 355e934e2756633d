// Encoders of pictures for tests, written as TorchScript.
#pragma once

#include <torch/script.h>

#include <filesystem>
#include <string>

namespace fleet {

/// Of a module whose forward(self, x) returns `expression`.
inline void write_encoder(const std::filesystem::path& file, const std::string& expression) {
  torch::jit::Module module("encoder");
  module.define("def forward(self, x):\n    return " + expression + "\n");
  module.save(file.string());
}

}  // namespace fleet
