/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Replays files through a fuzz target without a fuzzer: each argument is a file or a folder of files. Fails when there was none. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BYTES_MAXIMUM ((size_t)1 << 24)

static int replay(const char *path, size_t *replayed) {
  int rc = 1;
  uint8_t *data = NULL;
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) goto out;
  long size = ftell(file);
  if (size < 0 || (size_t)size > BYTES_MAXIMUM || fseek(file, 0, SEEK_SET) != 0) goto out;
  data = malloc((size_t)size + (size == 0)); /* exactly as large as the input, so that a sanitizer sees a read too far */
  if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size) goto out;
  LLVMFuzzerTestOneInput(data, (size_t)size);
  (*replayed)++;
  rc = 0;
out:
  if (rc != 0) fprintf(stderr, "%s could not be read\n", path);
  free(data);
  if (file != NULL) fclose(file);
  return rc;
}

static int replay_folder(DIR *folder, const char *path, size_t *replayed) {
  int rc = 0;
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    char name[4096];
    if (entry->d_name[0] == '.') continue;
    int length = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    if (length < 0 || (size_t)length >= sizeof name || replay(name, replayed) != 0) rc = 1;
  }
  return rc;
}

int main(int argc, char **argv) {
  size_t replayed = 0;
  int rc = 0;
  for (int i = 1; i < argc; i++) {
    DIR *folder = opendir(argv[i]);
    rc |= folder != NULL ? replay_folder(folder, argv[i], &replayed) : replay(argv[i], &replayed);
    if (folder != NULL) closedir(folder);
  }
  printf("%zu inputs replayed\n", replayed);
  return rc != 0 || replayed == 0;
}
