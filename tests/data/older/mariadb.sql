/*M!999999\- enable the sandbox mode */ 

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;
DROP TABLE IF EXISTS `agent_messages`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `agent_messages` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `session_id` varchar(255) NOT NULL,
  `message_data` longtext NOT NULL,
  `created_at` datetime(6) NOT NULL DEFAULT current_timestamp(6),
  PRIMARY KEY (`id`),
  KEY `session_id` (`session_id`,`id`),
  CONSTRAINT `agent_messages_ibfk_1` FOREIGN KEY (`session_id`) REFERENCES `agent_sessions` (`session_id`) ON DELETE CASCADE
) ENGINE=InnoDB AUTO_INCREMENT=105 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `agent_messages` WRITE;
/*!40000 ALTER TABLE `agent_messages` DISABLE KEYS */;
INSERT INTO `agent_messages` VALUES
(1,'plain','{\"role\":\"user\",\"content\":\"Question 0: grüße 🌍   \"}','2026-11-27 20:44:54.970917'),
(2,'plain','{\"type\":\"function_call\",\"call_id\":\"c0\",\"name\":\"look\",\"arguments\":\"{\\\"n\\\": 0}\"}','2026-11-27 20:44:54.972961'),
(3,'plain','{\"type\":\"function_call_output\",\"call_id\":\"c0\",\"output\":\"0.0\"}','2026-11-27 20:44:54.972961'),
(4,'plain','{\"role\":\"assistant\",\"content\":\"Answer 0\"}','2026-11-27 20:44:54.976185'),
(5,'plain','{\"role\":\"user\",\"content\":\"Question 1: grüße 🌍   x\"}','2026-11-27 20:44:54.977721'),
(6,'plain','{\"role\":\"assistant\",\"content\":\"Answer 1\"}','2026-11-27 20:44:54.979172'),
(7,'plain','{\"role\":\"user\",\"content\":\"Question 2: grüße 🌍   xx\"}','2026-11-27 20:44:54.980329'),
(8,'plain','{\"role\":\"assistant\",\"content\":\"Answer 2\"}','2026-11-27 20:44:54.981272'),
(9,'plain','{\"role\":\"user\",\"content\":\"Question 3: grüße 🌍   xxx\"}','2026-11-27 20:44:54.982162'),
(10,'plain','{\"type\":\"function_call\",\"call_id\":\"c3\",\"name\":\"look\",\"arguments\":\"{\\\"n\\\": 3}\"}','2026-11-27 20:44:54.983290'),
(11,'plain','{\"type\":\"function_call_output\",\"call_id\":\"c3\",\"output\":\"3.0\"}','2026-11-27 20:44:54.983290'),
(12,'plain','{\"role\":\"assistant\",\"content\":\"Answer 3\"}','2026-11-27 20:44:54.984418'),
(13,'plain','{\"role\":\"user\",\"content\":\"Question 4: grüße 🌍   xxxx\"}','2026-11-27 20:44:54.985562'),
(14,'plain','{\"role\":\"assistant\",\"content\":\"Answer 4\"}','2026-11-27 20:44:54.986678'),
(15,'plain','{\"role\":\"user\",\"content\":\"Question 5: grüße 🌍   xxxxx\"}','2026-11-27 20:44:54.987586'),
(16,'plain','{\"role\":\"assistant\",\"content\":\"Answer 5\"}','2026-11-27 20:44:54.988422'),
(17,'plain','{\"role\":\"user\",\"content\":\"Question 6: grüße 🌍   xxxxxx\"}','2026-11-27 20:44:54.989404'),
(18,'plain','{\"type\":\"function_call\",\"call_id\":\"c6\",\"name\":\"look\",\"arguments\":\"{\\\"n\\\": 6}\"}','2026-11-27 20:44:54.990384'),
(19,'plain','{\"type\":\"function_call_output\",\"call_id\":\"c6\",\"output\":\"6.0\"}','2026-11-27 20:44:54.990384'),
(20,'plain','{\"role\":\"assistant\",\"content\":\"Answer 6\"}','2026-11-27 20:44:54.991684'),
(21,'plain','{\"role\":\"user\",\"content\":\"Question 7: grüße 🌍   xxxxxxx\"}','2026-11-27 20:44:54.992780'),
(22,'plain','{\"role\":\"assistant\",\"content\":\"Answer 7\"}','2026-11-27 20:44:54.993979'),
(23,'plain','{\"role\":\"user\",\"content\":\"Question 8: grüße 🌍   xxxxxxxx\"}','2026-11-27 20:44:54.995191'),
(24,'plain','{\"role\":\"assistant\",\"content\":\"Answer 8\"}','2026-11-27 20:44:54.996283'),
(25,'plain','{\"role\":\"user\",\"content\":\"Question 9: grüße 🌍   xxxxxxxxx\"}','2026-11-27 20:44:54.997379'),
(26,'plain','{\"type\":\"function_call\",\"call_id\":\"c9\",\"name\":\"look\",\"arguments\":\"{\\\"n\\\": 9}\"}','2026-11-27 20:44:54.998341'),
(27,'plain','{\"type\":\"function_call_output\",\"call_id\":\"c9\",\"output\":\"9.0\"}','2026-11-27 20:44:54.998341'),
(28,'plain','{\"role\":\"assistant\",\"content\":\"Answer 9\"}','2026-11-27 20:44:54.999701'),
(29,'plain','{\"role\":\"user\",\"content\":\"Question 10: grüße 🌍   xxxxxxxxxx\"}','2026-11-27 20:44:55.000956'),
(30,'plain','{\"role\":\"assistant\",\"content\":\"Answer 10\"}','2026-11-27 20:44:55.001820'),
(31,'plain','{\"role\":\"user\",\"content\":\"Question 11: grüße 🌍   xxxxxxxxxxx\"}','2026-11-27 20:44:55.002760'),
(32,'plain','{\"role\":\"assistant\",\"content\":\"Answer 11\"}','2026-11-27 20:44:55.004135'),
(33,'plain','{\"role\":\"user\",\"content\":\"Question 12: grüße 🌍   xxxxxxxxxxxx\"}','2026-11-27 20:44:55.005161'),
(34,'plain','{\"type\":\"function_call\",\"call_id\":\"c12\",\"name\":\"look\",\"arguments\":\"{\\\"n\\\": 12}\"}','2026-11-27 20:44:55.006023'),
(35,'plain','{\"type\":\"function_call_output\",\"call_id\":\"c12\",\"output\":\"12.0\"}','2026-11-27 20:44:55.006023'),
(36,'plain','{\"role\":\"assistant\",\"content\":\"Answer 12\"}','2026-11-27 20:44:55.007162'),
(37,'plain','{\"role\":\"user\",\"content\":\"Question 13: grüße 🌍   xxxxxxxxxxxxx\"}','2026-11-27 20:44:55.008196'),
(38,'plain','{\"role\":\"assistant\",\"content\":\"Answer 13\"}','2026-11-27 20:44:55.009328'),
(39,'plain','{\"role\":\"user\",\"content\":\"Question 14: grüße 🌍   xxxxxxxxxxxxxx\"}','2026-11-27 20:44:55.010194'),
(40,'plain','{\"role\":\"assistant\",\"content\":\"Answer 14\"}','2026-11-27 20:44:55.011328'),
(41,'plain','{\"role\":\"user\",\"content\":\"Question 15: grüße 🌍   xxxxxxxxxxxxxxx\"}','2026-11-27 20:44:55.012401'),
(42,'plain','{\"type\":\"function_call\",\"call_id\":\"c15\",\"name\":\"look\",\"arguments\":\"{\\\"n\\\": 15}\"}','2026-11-27 20:44:55.013436'),
(43,'plain','{\"type\":\"function_call_output\",\"call_id\":\"c15\",\"output\":\"15.0\"}','2026-11-27 20:44:55.013436'),
(44,'plain','{\"role\":\"assistant\",\"content\":\"Answer 15\"}','2026-11-27 20:44:55.014318'),
(45,'plain','{\"role\":\"user\",\"content\":\"Question 16: grüße 🌍   xxxxxxxxxxxxxxxx\"}','2026-11-27 20:44:55.015408'),
(46,'plain','{\"role\":\"assistant\",\"content\":\"Answer 16\"}','2026-11-27 20:44:55.016646'),
(47,'plain','{\"role\":\"user\",\"content\":\"Question 17: grüße 🌍   xxxxxxxxxxxxxxxxx\"}','2026-11-27 20:44:55.017480'),
(48,'plain','{\"role\":\"assistant\",\"content\":\"Answer 17\"}','2026-11-27 20:44:55.018290'),
(49,'plain','{\"role\":\"user\",\"content\":\"Question 18: grüße 🌍   xxxxxxxxxxxxxxxxxx\"}','2026-11-27 20:44:55.019423'),
(50,'plain','{\"type\":\"function_call\",\"call_id\":\"c18\",\"name\":\"look\",\"arguments\":\"{\\\"n\\\": 18}\"}','2026-11-27 20:44:55.020575'),
(51,'plain','{\"type\":\"function_call_output\",\"call_id\":\"c18\",\"output\":\"18.0\"}','2026-11-27 20:44:55.020575'),
(52,'plain','{\"role\":\"assistant\",\"content\":\"Answer 18\"}','2026-11-27 20:44:55.021588'),
(53,'plain','{\"role\":\"user\",\"content\":\"Question 19: grüße 🌍   xxxxxxxxxxxxxxxxxxx\"}','2026-11-27 20:44:55.022424'),
(54,'plain','{\"role\":\"assistant\",\"content\":\"Answer 19\"}','2026-11-27 20:44:55.023646'),
(55,'keyed','{\"role\":\"user\",\"content\":\"once\"}','2026-11-27 20:44:55.025634'),
(56,'keyed','{\"role\":\"user\",\"content\":\"twice\"}','2026-11-27 20:44:55.027411'),
(57,'keyed','{\"role\":\"assistant\",\"content\":\"yes\"}','2026-11-27 20:44:55.027411'),
(63,'gaps','{\"role\":\"user\",\"content\":\"5\"}','2026-11-27 20:44:55.034112'),
(64,'gaps','{\"role\":\"user\",\"content\":\"6\"}','2026-11-27 20:44:55.035191'),
(65,'gaps','{\"role\":\"user\",\"content\":\"7\"}','2026-11-27 20:44:55.036542'),
(66,'gaps','{\"role\":\"user\",\"content\":\"8\"}','2026-11-27 20:44:55.037709'),
(67,'gaps','{\"role\":\"user\",\"content\":\"9\"}','2026-11-27 20:44:55.038583'),
(68,'gaps','{\"role\":\"user\",\"content\":\"10\"}','2026-11-27 20:44:55.040003'),
(69,'gaps','{\"role\":\"user\",\"content\":\"11\"}','2026-11-27 20:44:55.041103'),
(70,'gaps','{\"role\":\"user\",\"content\":\"12\"}','2026-11-27 20:44:55.041983'),
(71,'gaps','{\"role\":\"user\",\"content\":\"13\"}','2026-11-27 20:44:55.043004'),
(72,'gaps','{\"role\":\"user\",\"content\":\"14\"}','2026-11-27 20:44:55.043907'),
(73,'gaps','{\"role\":\"user\",\"content\":\"15\"}','2026-11-27 20:44:55.044711'),
(74,'gaps','{\"role\":\"user\",\"content\":\"16\"}','2026-11-27 20:44:55.045519'),
(75,'gaps','{\"role\":\"user\",\"content\":\"17\"}','2026-11-27 20:44:55.046309'),
(76,'gaps','{\"role\":\"user\",\"content\":\"18\"}','2026-11-27 20:44:55.047768'),
(77,'gaps','{\"role\":\"user\",\"content\":\"19\"}','2026-11-27 20:44:55.048786'),
(78,'gaps','{\"role\":\"user\",\"content\":\"20\"}','2026-11-27 20:44:55.049736'),
(79,'gaps','{\"role\":\"user\",\"content\":\"21\"}','2026-11-27 20:44:55.050997'),
(80,'gaps','{\"role\":\"user\",\"content\":\"22\"}','2026-11-27 20:44:55.051889'),
(81,'gaps','{\"role\":\"user\",\"content\":\"23\"}','2026-11-27 20:44:55.052690'),
(82,'gaps','{\"role\":\"user\",\"content\":\"24\"}','2026-11-27 20:44:55.053492'),
(83,'gaps','{\"role\":\"user\",\"content\":\"25\"}','2026-11-27 20:44:55.054315'),
(88,'gaps','{\"role\":\"user\",\"content\":\"after the gap\"}','2026-11-27 20:44:55.068181'),
(89,'run','{\"content\":\"My name is Alice.\",\"role\":\"user\"}','2026-11-27 20:44:55.072647'),
(90,'run','{\"id\":\"msg_offline_146d4ca3d23b798498ae7761\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"I\'ll remember: your name is Alice.\",\"annotations\":[]}]}','2026-11-27 20:44:55.074618'),
(91,'run','{\"content\":\"I live in Oslo.\",\"role\":\"user\"}','2026-11-27 20:44:55.080899'),
(92,'run','{\"id\":\"msg_offline_a79b35f49c815bfdd8433d34\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"I\'ll remember: you live in Oslo.\",\"annotations\":[]}]}','2026-11-27 20:44:55.082160'),
(93,'run','{\"content\":\"What\'s my name?\",\"role\":\"user\"}','2026-11-27 20:44:55.086948'),
(94,'run','{\"id\":\"msg_offline_e7d96a1336580b69294efb69\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"Your name is Alice.\",\"annotations\":[]}]}','2026-11-27 20:44:55.088594'),
(95,'run','{\"content\":\"My dog is called Rex.\",\"role\":\"user\"}','2026-11-27 20:44:55.092820'),
(96,'run','{\"id\":\"msg_offline_2226d7759d2bf7e3a9d82e4d\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"I\'ll remember: your dog is called Rex.\",\"annotations\":[]}]}','2026-11-27 20:44:55.093930'),
(97,'run','{\"content\":\"Where do I live?\",\"role\":\"user\"}','2026-11-27 20:44:55.098235'),
(98,'run','{\"id\":\"msg_offline_f3bb67305d70e0cc9b91a331\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"You live in Oslo.\",\"annotations\":[]}]}','2026-11-27 20:44:55.099583'),
(99,'run','{\"content\":\"Hello\",\"role\":\"user\"}','2026-11-27 20:44:55.105343'),
(100,'run','{\"id\":\"msg_offline_8e43effb01fd8c04748e04b2\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"I\'ll remember that you said so.\",\"annotations\":[]}]}','2026-11-27 20:44:55.106671'),
(101,'run','{\"content\":\"A question under way\",\"role\":\"user\"}','2026-11-27 20:44:55.110422'),
(102,'crashed','{\"role\":\"user\",\"content\":\"unanswered\"}','2026-11-27 20:44:55.128833'),
(103,'a:b/c dé\"\'','{\"role\":\"user\",\"content\":\"an odd id\"}','2026-11-27 20:44:55.130832');
/*!40000 ALTER TABLE `agent_messages` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `agent_sessions`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `agent_sessions` (
  `session_id` varchar(255) NOT NULL,
  `created_at` datetime(6) NOT NULL DEFAULT current_timestamp(6),
  `updated_at` datetime(6) NOT NULL DEFAULT current_timestamp(6),
  PRIMARY KEY (`session_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `agent_sessions` WRITE;
/*!40000 ALTER TABLE `agent_sessions` DISABLE KEYS */;
INSERT INTO `agent_sessions` VALUES
('a:b/c dé\"\'','2026-11-27 20:44:55.130832','2026-11-27 20:44:55.130832'),
('crashed','2026-11-27 20:44:55.128833','2026-11-27 20:44:55.128833'),
('gaps','2026-11-27 20:44:55.029252','2026-11-27 20:44:55.068181'),
('keyed','2026-11-27 20:44:55.025634','2026-11-27 20:44:55.027411'),
('plain','2026-11-27 20:44:54.970917','2026-11-27 20:44:55.024588'),
('run','2026-11-27 20:44:55.072647','2026-11-27 20:44:55.110422');
/*!40000 ALTER TABLE `agent_sessions` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `turnlog_agent_messages_heads`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `turnlog_agent_messages_heads` (
  `session_id` varchar(255) NOT NULL,
  `name` varchar(128) NOT NULL,
  `created_at` datetime(6) NOT NULL DEFAULT current_timestamp(6),
  `updated_at` datetime(6) NOT NULL DEFAULT current_timestamp(6),
  `note` longblob DEFAULT NULL,
  `main_of` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`session_id`,`name`),
  KEY `main_of` (`main_of`),
  CONSTRAINT `turnlog_agent_messages_heads_ibfk_1` FOREIGN KEY (`main_of`) REFERENCES `agent_sessions` (`session_id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `turnlog_agent_messages_heads` WRITE;
/*!40000 ALTER TABLE `turnlog_agent_messages_heads` DISABLE KEYS */;
INSERT INTO `turnlog_agent_messages_heads` VALUES
('crashed',':lease','2026-11-27 20:44:55.129702','2026-11-27 20:44:55.129702',NULL,NULL),
('plain','main','2026-11-27 20:44:55.024970','2026-11-27 20:44:55.024970',0x7B227469746C65223A22412074616C6B2061626F75742074686520776F726C64227D,'plain'),
('run',':lease','2026-11-27 20:44:55.069341','2026-11-27 20:44:55.127089',NULL,NULL),
('run',':lease@run-522f4a6f7130','2026-11-27 20:44:55.120451','2026-11-27 20:44:55.125715',NULL,NULL),
('run',':turns','2026-11-27 20:44:55.079543','2026-11-27 20:44:55.104259',NULL,NULL),
('run',':usage','2026-11-27 20:44:55.127878','2026-11-27 20:44:55.127878',NULL,NULL),
('run','run-522f4a6f7130','2026-11-27 20:44:55.113767','2026-11-27 20:44:55.124320',0x7B22666F726B65645F66726F6D223A7B226272616E6368223A226D61696E222C22706F736974696F6E223A3130307D7D,NULL);
/*!40000 ALTER TABLE `turnlog_agent_messages_heads` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `turnlog_agent_messages_keys`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `turnlog_agent_messages_keys` (
  `session_id` varchar(255) NOT NULL,
  `name` varchar(128) NOT NULL,
  `key` varchar(255) NOT NULL,
  `position` bigint(20) NOT NULL,
  `main_of` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`session_id`,`name`,`key`),
  KEY `main_of` (`main_of`),
  CONSTRAINT `turnlog_agent_messages_keys_ibfk_1` FOREIGN KEY (`main_of`) REFERENCES `agent_sessions` (`session_id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `turnlog_agent_messages_keys` WRITE;
/*!40000 ALTER TABLE `turnlog_agent_messages_keys` DISABLE KEYS */;
INSERT INTO `turnlog_agent_messages_keys` VALUES
('keyed','main','request-1',55,'keyed'),
('keyed','main','request-2',57,'keyed');
/*!40000 ALTER TABLE `turnlog_agent_messages_keys` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `turnlog_agent_messages_records`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `turnlog_agent_messages_records` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `session_id` varchar(255) NOT NULL,
  `name` varchar(128) NOT NULL,
  `payload` longblob NOT NULL,
  `created_at` datetime(6) NOT NULL DEFAULT current_timestamp(6),
  PRIMARY KEY (`id`),
  KEY `session_id` (`session_id`,`name`,`id`)
) ENGINE=InnoDB AUTO_INCREMENT=28 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `turnlog_agent_messages_records` WRITE;
/*!40000 ALTER TABLE `turnlog_agent_messages_records` DISABLE KEYS */;
INSERT INTO `turnlog_agent_messages_records` VALUES
(3,'run',':turns',0x7B22706F736974696F6E223A38392C227475726E223A307D,'2026-11-27 20:44:55.079543'),
(8,'run',':turns',0x7B22706F736974696F6E223A39332C227475726E223A327D,'2026-11-27 20:44:55.104259'),
(10,'run','run-522f4a6f7130',0x7B22636F6E74656E74223A224D79206E616D6520697320416C6963652E222C22726F6C65223A2275736572227D,'2026-11-27 20:44:55.113767'),
(11,'run','run-522f4a6f7130',0x7B226964223A226D73675F6F66666C696E655F313436643463613364323362373938343938616537373631222C2274797065223A226D657373616765222C22726F6C65223A22617373697374616E74222C22737461747573223A22636F6D706C65746564222C22636F6E74656E74223A5B7B2274797065223A226F75747075745F74657874222C2274657874223A2249276C6C2072656D656D6265723A20796F7572206E616D6520697320416C6963652E222C22616E6E6F746174696F6E73223A5B5D7D5D7D,'2026-11-27 20:44:55.113767'),
(12,'run','run-522f4a6f7130',0x7B22636F6E74656E74223A2249206C69766520696E204F736C6F2E222C22726F6C65223A2275736572227D,'2026-11-27 20:44:55.113767'),
(13,'run','run-522f4a6f7130',0x7B226964223A226D73675F6F66666C696E655F613739623335663439633831356266646438343333643334222C2274797065223A226D657373616765222C22726F6C65223A22617373697374616E74222C22737461747573223A22636F6D706C65746564222C22636F6E74656E74223A5B7B2274797065223A226F75747075745F74657874222C2274657874223A2249276C6C2072656D656D6265723A20796F75206C69766520696E204F736C6F2E222C22616E6E6F746174696F6E73223A5B5D7D5D7D,'2026-11-27 20:44:55.113767'),
(14,'run','run-522f4a6f7130',0x7B22636F6E74656E74223A22576861742773206D79206E616D653F222C22726F6C65223A2275736572227D,'2026-11-27 20:44:55.113767'),
(15,'run','run-522f4a6f7130',0x7B226964223A226D73675F6F66666C696E655F653764393661313333363538306236393239346566623639222C2274797065223A226D657373616765222C22726F6C65223A22617373697374616E74222C22737461747573223A22636F6D706C65746564222C22636F6E74656E74223A5B7B2274797065223A226F75747075745F74657874222C2274657874223A22596F7572206E616D6520697320416C6963652E222C22616E6E6F746174696F6E73223A5B5D7D5D7D,'2026-11-27 20:44:55.113767'),
(16,'run','run-522f4a6f7130',0x7B22636F6E74656E74223A224D7920646F672069732063616C6C6564205265782E222C22726F6C65223A2275736572227D,'2026-11-27 20:44:55.113767'),
(17,'run','run-522f4a6f7130',0x7B226964223A226D73675F6F66666C696E655F323232366437373539643262663765336139643832653464222C2274797065223A226D657373616765222C22726F6C65223A22617373697374616E74222C22737461747573223A22636F6D706C65746564222C22636F6E74656E74223A5B7B2274797065223A226F75747075745F74657874222C2274657874223A2249276C6C2072656D656D6265723A20796F757220646F672069732063616C6C6564205265782E222C22616E6E6F746174696F6E73223A5B5D7D5D7D,'2026-11-27 20:44:55.113767'),
(18,'run','run-522f4a6f7130',0x7B22636F6E74656E74223A22576865726520646F2049206C6976653F222C22726F6C65223A2275736572227D,'2026-11-27 20:44:55.113767'),
(19,'run','run-522f4a6f7130',0x7B226964223A226D73675F6F66666C696E655F663362623637333035643730653063633962393161333331222C2274797065223A226D657373616765222C22726F6C65223A22617373697374616E74222C22737461747573223A22636F6D706C65746564222C22636F6E74656E74223A5B7B2274797065223A226F75747075745F74657874222C2274657874223A22596F75206C69766520696E204F736C6F2E222C22616E6E6F746174696F6E73223A5B5D7D5D7D,'2026-11-27 20:44:55.113767'),
(20,'run','run-522f4a6f7130',0x7B22636F6E74656E74223A2248656C6C6F222C22726F6C65223A2275736572227D,'2026-11-27 20:44:55.113767'),
(21,'run','run-522f4a6f7130',0x7B226964223A226D73675F6F66666C696E655F386534336566666230316664386330343734386530346232222C2274797065223A226D657373616765222C22726F6C65223A22617373697374616E74222C22737461747573223A22636F6D706C65746564222C22636F6E74656E74223A5B7B2274797065223A226F75747075745F74657874222C2274657874223A2249276C6C2072656D656D626572207468617420796F75207361696420736F2E222C22616E6E6F746174696F6E73223A5B5D7D5D7D,'2026-11-27 20:44:55.113767'),
(23,'run','run-522f4a6f7130',0x7B22636F6E74656E74223A224F6E2061206272616E63683A20776861742773206D79206E616D653F222C22726F6C65223A2275736572227D,'2026-11-27 20:44:55.122424'),
(24,'run','run-522f4a6f7130',0x7B226964223A226D73675F6F66666C696E655F626137336330636438303865643735363439653533356463222C2274797065223A226D657373616765222C22726F6C65223A22617373697374616E74222C22737461747573223A22636F6D706C65746564222C22636F6E74656E74223A5B7B2274797065223A226F75747075745F74657874222C2274657874223A22596F7572206E616D6520697320416C6963652E222C22616E6E6F746174696F6E73223A5B5D7D5D7D,'2026-11-27 20:44:55.124320'),
(25,'run',':usage',0x7B22746F6B656E73223A317D,'2026-11-27 20:44:55.127878'),
(26,'run',':usage',0x00FF2062696E617279,'2026-11-27 20:44:55.127878'),
(27,'crashed',':lease',0x7B22686F6C646572223A22736F6D65626F6479222C227365636F6E6473223A33302E302C22756E74696C223A313730303030303030302E307D,'2026-11-27 20:44:55.129702');
/*!40000 ALTER TABLE `turnlog_agent_messages_records` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `turnlog_schema`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `turnlog_schema` (
  `messages_table` varchar(64) NOT NULL,
  `version` int(11) NOT NULL,
  PRIMARY KEY (`messages_table`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `turnlog_schema` WRITE;
/*!40000 ALTER TABLE `turnlog_schema` DISABLE KEYS */;
INSERT INTO `turnlog_schema` VALUES
('agent_messages',1);
/*!40000 ALTER TABLE `turnlog_schema` ENABLE KEYS */;
UNLOCK TABLES;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

