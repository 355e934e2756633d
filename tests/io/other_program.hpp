// What other programs do to HDF5 files, with the library itself.
#pragma once

#include <hdf5.h>
#include <zlib.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "scratch.hpp"

namespace fleet {

/// Opens the file for writing, lets `change` do its work, and closes it: the seal behind it is gone.
template <class Change>
void edit_elsewhere(const std::filesystem::path& path, Change change) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);  // whatever `change` leaves open
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, access);
  H5Pclose(access);
  ASSERT_GE(file, 0);
  change(file);
  ASSERT_GE(H5Fclose(file), 0);
}

/// Seals the bytes of the file as they are now, as somebody would who means harm.
inline void seal_again(const std::filesystem::path& path) {
  const std::string bytes = Scratch::read(path);
  char seal[64];
  std::snprintf(seal, sizeof seal, "fleet CRC-32 %08lx\n",
                crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  Scratch::write(path, bytes + seal);
}

}  // namespace fleet
