// `fleet barrier` on safetensors files, judged by a command of the user's.
#pragma once

#include <boost/program_options.hpp>

#include <filesystem>
#include <vector>

#include "comm/comm.hpp"

namespace fleet {

/// Options of `fleet barrier` that are for safetensors files only.
[[nodiscard]] boost::program_options::options_description judge_options();

/// Collective.
int barrier_of_weights(const Comm& world, const std::vector<std::filesystem::path>& paths,
                       const boost::program_options::variables_map& values);

}  // namespace fleet
