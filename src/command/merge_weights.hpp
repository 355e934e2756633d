// `fleet merge` on safetensors files.
#pragma once

#include <boost/program_options.hpp>

#include <filesystem>
#include <vector>

#include "command/command_line.hpp"
#include "io/weight_files.hpp"

namespace fleet {

/// Options of `fleet merge` that are for safetensors files only.
[[nodiscard]] boost::program_options::options_description weight_options();

/// ConfigError for the first of them that is given.
void refuse_weight_options(const boost::program_options::variables_map& values);

/// Merges or aligns the models that `paths` name: files, indices or folders of safetensors. Collective.
int merge_weights(const Comm& world, const std::vector<std::filesystem::path>& paths,
                  const boost::program_options::variables_map& values);

/// The files; ConfigError naming what is wrong with them, or that PyTorch's own files are read by its package only.
[[nodiscard]] std::vector<WeightFiles> open_weights(const std::vector<std::filesystem::path>& paths);

}  // namespace fleet
