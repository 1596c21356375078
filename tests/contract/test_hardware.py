#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""/api/hardware, and `system` of a session whose trainer samples its machine: a real server, the digits trainer. Usage: test_hardware.py PROGRAM"""
import os
import subprocess
import sys
import time
import unittest

import test_rest

MACHINE = {"cpu_percent", "load_1", "load_5", "load_15", "memory_total_bytes", "memory_used_bytes", "memory_free_bytes", "memory_percent", "swap_total_bytes",
           "swap_used_bytes", "disk_total_bytes", "disk_free_bytes", "disk_percent", "disk_read_rate", "disk_write_rate", "network_receive_rate",
           "network_send_rate", "cpu_temperature"}
PROCESS = {"cpu_percent", "resident_bytes", "threads", "descriptors"}
GPU = {"index", "name", "vendor", "usage_percent", "memory_used_bytes", "memory_total_bytes", "memory_percent", "temperature", "power_watts", "fan_percent"}
WANTED = {"system/process_memory_mb", "system/disk_free_gb", "system/cpu_percent"}
SYSTEM = {"gpu_usage", "gpu_memory", "gpu_memory_mb", "gpu_temp", "ram_usage", "eta_seconds"}


class Hardware(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = test_rest.Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.close() == 0

    def test_the_machine_of_the_server(self):
        status, first = self.server.ask("GET", "/api/hardware")
        time.sleep(0.3)
        status, reply = self.server.ask("GET", "/api/hardware")
        self.assertEqual((status, set(reply)), (200, {"success", "hardware"}))
        hardware = reply["hardware"]
        self.assertEqual((set(hardware["machine"]), set(hardware["process"])), (MACHINE, PROCESS))
        for gpu in hardware["gpus"]:
            self.assertEqual(set(gpu), GPU)
        for name in ("cpu_percent", "memory_percent", "disk_percent"):
            self.assertTrue(0 <= hardware["machine"][name] <= 100, name)
        with open("/proc/meminfo") as file:
            total = int(file.readline().split()[1]) * 1024
        self.assertLessEqual(hardware["machine"]["memory_total_bytes"], total)
        disk = os.statvfs(self.server.folder)
        self.assertEqual(hardware["machine"]["disk_total_bytes"], disk.f_blocks * disk.f_frsize)
        self.assertGreaterEqual(hardware["process"]["threads"], 1)
        self.assertIsNone(first["hardware"]["machine"]["cpu_percent"])
        self.assertEqual(self.server.ask("POST", "/api/hardware", {})[0], 405)

    def test_the_machine_of_a_trainer(self):
        trainer = os.path.join(os.path.dirname(test_rest.PROGRAM), "../digits/trainmon-digits")
        if not os.path.exists(trainer):
            self.skipTest("the digits trainer is not built")
        socket = test_rest.WebSocket(self.server.port)
        process = subprocess.Popen([trainer, "--store", self.server.folder, "--epochs", "100000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + test_rest.PATIENCE
            message, keys = {}, set()
            while time.monotonic() < end and "system/memory_percent" not in message.get("points", {}):
                message = socket.wait_for("metrics_update")
            # A sample's figures may come in two messages, and rates need a sample before.
            while time.monotonic() < end and not WANTED <= keys:
                status, current = self.server.ask("GET", "/api/metrics/current?session_id=" + message["session_id"])
                keys = set(current["points"])
            for system in (message["system"], current["system"]):
                self.assertEqual(set(system), SYSTEM)
                self.assertTrue(0 < system["ram_usage"] <= 100)
            self.assertLessEqual(WANTED, keys)
            # What has no sensor has no metric and no number.
            self.assertEqual(current["system"]["gpu_usage"] is None, "system/gpu0/usage_percent" not in keys)
            self.assertEqual(current["system"]["gpu_memory_mb"] is None, "system/gpu0/memory_mb" not in keys)
            session = self.server.ask("GET", "/api/training/sessions/" + message["session_id"])[1]["session"]
            self.assertGreaterEqual(session["hardware_info"]["cores"], 1)
        finally:
            process.kill()
            process.wait()
            socket.close()


if __name__ == "__main__":
    test_rest.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
